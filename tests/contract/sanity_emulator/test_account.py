from tests.contract.sanity_emulator.emulator_process import CONTRIBUTOR, EDITOR, VIEWER
from tests.contract.sanity_emulator.lake import Lake, create


def test_users_me_tells_who_a_token_is(lake: Lake) -> None:
    viewer, anonymous = lake.seen_by(VIEWER), lake.seen_by(None)

    assert lake.http.get("/v2021-06-07/users/me").json()["role"] == "editor"
    assert viewer.http.get("/v2021-06-07/users/me").json()["name"] == "storefront"
    assert anonymous.http.get("/v2021-06-07/users/me").json() == {}
    viewer.close()
    anonymous.close()


def test_the_access_list_follows_the_role(lake: Lake) -> None:
    path = f"/v2021-06-07/projects/shop/datasets/{lake.dataset}/acl"

    def permissions(token: str | None) -> set[str]:
        reader = lake.seen_by(token)
        found = {each for grant in reader.http.get(path).json() for each in grant["permissions"]}
        reader.close()
        return found

    assert "update" in permissions(EDITOR)
    assert "update" in permissions(CONTRIBUTOR)
    assert permissions(VIEWER) == {"read", "history"}
    assert permissions(None) == set()


def test_contributors_write_drafts_only(lake: Lake) -> None:
    contributor = lake.seen_by(CONTRIBUTOR)
    contributor.mutate(create("drafts.a"))

    status, _, item = contributor.refused(create("a"))

    assert (status, item["permission"]) == (403, "create")
    contributor.close()


def test_browsers_of_other_origins_may_ask(lake: Lake) -> None:
    path = f"/{lake.version}/data/mutate/{lake.dataset}"
    headers = {
        "Origin": "http://studio.localhost",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,x-sanity-project-id",
    }

    preflight = lake.http.options(path, headers=headers)
    answer = lake.http.get("/v1/ping", headers={"Origin": "http://studio.localhost"})

    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-headers"] == "authorization,x-sanity-project-id"
    for response in (preflight, answer):
        assert response.headers["access-control-allow-origin"] == "http://studio.localhost"
        assert response.headers["access-control-allow-credentials"] == "true"
