from pathlib import Path

import pytest

from outbox.errors import MigrationNameError
from outbox.migrate import MIGRATIONS, Migration, read_migrations


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.sql").write_text(text)
    return folder


def test_files_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    write(tmp_path, **{"0002_b": "select 2", "0001_z": "select 1"})

    assert [m.name for m in read_migrations(tmp_path)] == ["0001_z.sql", "0002_b.sql"]


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path, **{"0001_a": "select 1"})
    (tmp_path / "README.md").write_text("notes")

    assert [m.name for m in read_migrations(tmp_path)] == ["0001_a.sql"]


@pytest.mark.parametrize("name", ["1_short", "first", "0001-dash", "0001_Upper"])
def test_a_name_that_gives_no_order_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, **{name: "select 1"})

    with pytest.raises(MigrationNameError, match=name):
        read_migrations(tmp_path)


def test_a_number_used_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path, **{"0001_a": "select 1", "0001_b": "select 1"})

    with pytest.raises(MigrationNameError, match="0001"):
        read_migrations(tmp_path)


def test_a_folder_without_migrations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MigrationNameError, match="no migration"):
        read_migrations(tmp_path)


def test_the_checksum_ignores_the_kind_of_line_ends_and_nothing_else() -> None:
    unix = Migration("0001_a.sql", "select 1;\nselect 2;\n")
    windows = Migration("0001_a.sql", "select 1;\r\nselect 2;\r\n")
    spaced = Migration("0001_a.sql", "select 1;\nselect  2;\n")

    assert unix.checksum == windows.checksum
    assert unix.checksum != spaced.checksum


def test_the_package_brings_its_own_migrations() -> None:
    names = [m.name for m in read_migrations(MIGRATIONS)]

    assert names[0].startswith("0001_")
