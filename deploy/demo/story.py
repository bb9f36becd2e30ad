"""The acts of the demo: what an admin and an editor do, and what becomes of it."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import Console
from rich.progress import track

from deploy.demo.admin import Admin
from deploy.demo.check import Comparison, compare
from deploy.demo.editor import Editor
from deploy.demo.trace import Change, Trace

T_SHIRT: Final = "premium-cotton-t-shirt"
JEANS: Final = "slim-fit-jeans"
NEW_TITLE: Final = "Premium Organic Cotton T-Shirt"
SHOWN_CHANGES: Final = 4
ALL_PRODUCTS: Final = '*[_type == "product"]'


@dataclass
class Story:
    """Plays the acts in order; each shows its changes in Postgres, Kafka and Sanity."""

    console: Console
    admin: Admin
    editor: Editor
    trace: Trace
    products: Sequence[Mapping[str, Any]]  # bodies for the Admin API
    content: Mapping[str, Mapping[str, Any]]  # by handle: specs, addons
    changes: list[Change] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)  # product ids by handle

    def play(self) -> bool:
        """All acts; whether every document equals commerce at the end."""
        self._create()
        self._refuse()
        self._rename()
        self._enrich()
        self._rename_under_an_open_draft()
        self._delete()
        return self._check()

    def _create(self) -> None:
        self._title(f"An admin creates {len(self.products)} products")
        for body in track(self.products, "creating", console=self.console, transient=True):
            product = self.admin.create(dict(body))
            self.ids[product["handle"]] = product["id"]
            self.changes.append(self.trace.follow(product["id"]))
        self._show(self.changes)
        document = self.changes[0].document or {}
        self._say(f"the first document: {_brief(document)}")

    def _refuse(self) -> None:
        self._title("A write that fails leaves nothing")
        before = self.trace.event_count()
        message = self.admin.refused(dict(self.products[0]))
        after = self.trace.event_count()
        self._say(f"commerce refused: {message}")
        self._say(f"events in the outbox before and after: {before}, {after}")

    def _rename(self) -> None:
        self._title(f"The admin renames a product to {NEW_TITLE!r}")
        product_id = self.ids[T_SHIRT]
        self.admin.update(product_id, {"title": NEW_TITLE})
        change = self._follow(product_id)
        self._say(f"title: {(change.document or {}).get('title')}")

    def _enrich(self) -> None:
        self._title(f"An editor writes texts and add-ons for {len(self.content)} products")
        for handle, content in track(
            self.content.items(), "writing", console=self.console, transient=True
        ):
            product_id = self.ids[handle]
            self.editor.open_draft(product_id)
            self.editor.edit(product_id, self._fields(content))
            self.editor.publish(product_id)
        document = self.editor.document(self.ids[T_SHIRT]) or {}
        languages = [f"{spec['lang']} {spec['title']!r}" for spec in document["specs"]]
        self._say(f"languages of one: {', '.join(languages)}")
        addons = document.get("addons") or {}
        self._say(f"add-ons of one: {addons.get('title')}, {len(addons.get('products', []))} items")
        self._say("nothing flows back: commerce keeps its own description")

    def _rename_under_an_open_draft(self) -> None:
        self._title("A title changes while an editor has an open draft, who then publishes it")
        product_id = self.ids[JEANS]
        self.editor.open_draft(product_id)
        self.editor.edit(product_id, {"specs[0].content": "Edited while the title changed."})
        self.admin.update(product_id, {"title": "Slim Fit Jeans, Washed"})
        self._follow(product_id)
        self.editor.publish(product_id)
        document = self.editor.document(product_id) or {}
        self._say(f"title {document['title']!r}, text {document['specs'][0]['content']!r}")

    def _delete(self) -> None:
        self._title("The admin deletes a product")
        product_id = self.ids[list(self.ids)[-1]]
        self.admin.delete(product_id)
        self._follow(product_id)
        found = self.editor.documents(product_id, f"drafts.{product_id}")
        tombstone = self.editor.document(f"sync.tombstone.{product_id}") or {}
        self._say(
            f"documents left: {len(found)}; the tombstone keeps {len(tombstone['kept'])} bytes"
        )

    def _check(self) -> bool:
        self._title("Every document against commerce")
        result = compare(self.admin.products(), self.editor.query(ALL_PRODUCTS))
        self._say(_told(result))
        times = sorted(change.document_ms for change in self.changes)
        median, slowest = statistics.median(times), times[-1]
        self._say(
            f"from write to document, {len(times)} changes: "
            f"median {median:.0f} ms, slowest {slowest:.0f} ms"
        )
        return result.is_equal

    def _follow(self, product_id: str) -> Change:
        change = self.trace.follow(product_id)
        self.changes.append(change)
        self._show([change])
        return change

    def _fields(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """The editor's fields of a document; add-ons as weak references, as our schema has them."""
        specs = [
            {"_key": f"{spec['lang']}-spec", "_type": "spec", **spec} for spec in content["specs"]
        ]
        fields: dict[str, Any] = {"specs": specs}
        if addons := content.get("addons"):
            references = [
                {"_key": handle, "_type": "reference", "_ref": self.ids[handle], "_weak": True}
                for handle in addons["handles"]
            ]
            fields["addons"] = {"title": addons["title"], "products": references}
        return fields

    def _title(self, text: str) -> None:
        self.console.print(f"\n[bold]{text}[/bold]")

    def _say(self, text: str) -> None:
        self.console.print(f"  {text}", markup=False, highlight=False)

    def _show(self, changes: Iterable[Change]) -> None:
        changes = list(changes)
        for change in changes[:SHOWN_CHANGES]:
            rev = "tombstone" if change.document is None else f"_rev {change.document['_rev'][:8]}"
            self._say(
                f"{change.product_id}  Postgres: {change.event_type}, revision {change.revision}"
                f" | Kafka: {change.position.removeprefix('outbox.event.')}"
                f" after {change.kafka_ms:.0f} ms"
                f" | Sanity: {rev} after {change.document_ms:.0f} ms"
            )
        if len(changes) > SHOWN_CHANGES:
            self._say(f"... and {len(changes) - SHOWN_CHANGES} more")


def _brief(document: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {document.get(name)}" for name in ("_id", "_type", "title", "specs"))


def _told(result: Comparison) -> str:
    if result.is_equal:
        return f"{result.compared} products compared: all equal, none missing, none orphaned"
    return (
        f"NOT EQUAL: missing {result.missing}, differing {result.differing}, "
        f"orphaned {result.orphaned}"
    )
