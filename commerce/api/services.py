"""What the routes work with, handed to them by the application."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from commerce.access_token import Tokens
from commerce.account import Accounts
from commerce.catalog import Catalog
from commerce.publisher import Origin


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of the product system."""

    catalog: Catalog
    accounts: Accounts
    tokens: Tokens


def _services(request: Request) -> Services:
    services = request.app.state.services
    assert isinstance(services, Services)  # noqa: S101
    return services


def _catalog(request: Request) -> Catalog:
    return _services(request).catalog


def _accounts(request: Request) -> Accounts:
    return _services(request).accounts


def _tokens(request: Request) -> Tokens:
    return _services(request).tokens


def _origin(request: Request) -> Origin:
    return Origin(source="admin", traceparent=request.headers.get("traceparent"))


TheCatalog = Annotated[Catalog, Depends(_catalog)]
TheAccounts = Annotated[Accounts, Depends(_accounts)]
TheTokens = Annotated[Tokens, Depends(_tokens)]
TheOrigin = Annotated[Origin, Depends(_origin)]
