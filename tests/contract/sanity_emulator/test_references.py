from tests.contract.sanity_emulator.lake import Lake, create, delete, patch, reference


def test_weak_references_hold_nothing(lake: Lake) -> None:
    lake.mutate(create("a"), create("b", addons=[reference("a", weak=True)]))

    lake.mutate(delete("a"))

    assert lake.get("a") is None


def test_integrity_is_judged_at_the_end_of_the_transaction(lake: Lake) -> None:
    lake.mutate(create("a", addons=[reference("b")]), create("b", addons=[reference("a")]))

    lake.mutate(delete("a"), delete("b"))

    assert lake.query("count(*[])") == 0


def test_a_reference_taken_out_in_the_same_transaction_lets_go(lake: Lake) -> None:
    lake.mutate(create("a"), create("b", addons={"products": [reference("a")]}))

    lake.mutate(delete("a"), patch("b", unset=['addons.products[_ref=="a"]']))

    assert lake.query('*[_id == "b"][0].addons') == {"products": []}


def test_drafts_hold_their_references_too(lake: Lake) -> None:
    lake.mutate(create("a"), create("drafts.b", addons=[reference("a")]))

    status, _, item = lake.refused(delete("a"))

    assert status == 409
    assert item["referencingIDs"] == ["drafts.b"]


def test_the_index_of_a_refused_reference_names_its_mutation(lake: Lake) -> None:
    lake.mutate(create("a"), create("b", addons=[reference("a")]), create("c"))

    _, error, _ = lake.refused(delete("c"), delete("a"))

    assert [item["index"] for item in error["items"]] == [1]


def test_references_into_other_datasets_are_not_checked(lake: Lake) -> None:
    lake.mutate(create("a", other={"_ref": "x", "_dataset": "elsewhere"}))

    assert lake.get("a") is not None
