from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from recommender.dataset import Dataset
from recommender.dataset.interaction_files import read_interactions
from recommender.dataset.item_files import parse_category_path, read_item_texts
from recommender.types import DataError


def write_file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def get_item_rows(data: Dataset) -> dict[str, list[str]]:
    return {
        user: [data.item_ids[i] for i in data.histories.slice_row(n)] for n, user in enumerate(data.user_ids)
    }


def test_lines_are_a_user_and_items_in_time_order(tmp_path: Path) -> None:
    data = read_interactions(write_file(tmp_path, "a.txt", "u1 x y z\n\nu2 y\n"))
    assert get_item_rows(data) == {"u1": ["x", "y", "z"], "u2": ["y"]}


def test_catalogue_items_without_events_are_included(tmp_path: Path) -> None:
    data = read_interactions(write_file(tmp_path, "a.txt", "u1 x y\n"), {"y": "why", "w": "new"})
    assert data.item_ids == ("x", "y", "w")
    assert data.content is not None
    assert data.content.texts == ("", "why", "new")


CSV = "user_id,item_id,timestamp\nu1,b,1700000100\nu1,a,1700000000\nu2,a,1700000050\n"


def test_rows_are_put_in_time_order(tmp_path: Path) -> None:
    data = read_interactions(write_file(tmp_path, "a.csv", CSV))
    assert get_item_rows(data) == {"u1": ["a", "b"], "u2": ["a"]}
    assert data.timestamp.tolist()[0] == 1_700_000_000_000


@pytest.mark.parametrize(
    "timestamp", ["1700000000", "1700000000000", "2023-11-14T22:13:20Z", "2023-11-14 22:13:20"]
)
def test_seconds_milliseconds_and_dates_mean_the_same_time(tmp_path: Path, timestamp: str) -> None:
    data = read_interactions(write_file(tmp_path, "a.csv", f"user_id,item_id,timestamp\nu,i,{timestamp}\n"))
    assert data.timestamp.tolist() == [1_700_000_000_000]


def test_parquet_reads_like_csv(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user_id": [1, 1], "item_id": [7, 8], "rating": [5.0, 0.0]})
    frame.write_parquet(tmp_path / "a.parquet")
    data = read_interactions(tmp_path / "a.parquet")
    assert get_item_rows(data) == {"1": ["7"]}
    assert data.weight.tolist() == [5.0]


def test_an_inter_file_reads_like_csv(tmp_path: Path) -> None:
    path = tmp_path / "events.inter"
    path.write_text(
        'user_id:token\titem_id:token\trating:float\ttimestamp:float\na\t"q\t3\t20\na\tp\t0\t30\na\tr\t5\t10\n'
    )
    data = read_interactions(path)
    assert data.item_ids == ('"q', "r")
    assert [data.item_ids[item] for item in data.histories.slice_row(0)] == ["r", '"q']
    assert data.weight.tolist() == [5, 3]


def test_is_last_marks_the_final_event_of_unordered_data(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("user_id,item_id,is_last\na,z,1\na,y,0\nb,x,0\na,w,0\nb,z,1\n")
    data = read_interactions(path)
    assert not data.has_timestamps
    assert not data.is_ordered
    rows = [
        [data.item_ids[item] for item in data.histories.slice_row(data.user_ids.index(user))] for user in "ab"
    ]
    assert [row[-1] for row in rows] == ["z", "z"]
    assert [set(row) for row in rows] == [{"y", "w", "z"}, {"x", "z"}]
    second_data = read_interactions(path)
    assert second_data.item.tolist() == data.item.tolist()
    path.write_text("user_id,item_id,is_last\na,z,yes\n")
    with pytest.raises(DataError, match="row 1: is_last 'yes' is not a usable number"):
        read_interactions(path)


def test_unordered_events_do_not_keep_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    rows = [f"a,i{number:02},{int(number == 0)}" for number in range(40)]
    path.write_text("\n".join(["user_id,item_id,is_last", *rows]))
    data = read_interactions(path)
    row = [data.item_ids[item] for item in data.histories.slice_row(0)]
    assert row[-1] == "i00"
    assert row[:-1] != sorted(row[:-1])


def test_a_kind_gives_the_weight_and_a_dismissal_is_no_interaction(tmp_path: Path) -> None:
    rows = "user_id,item_id,kind\nu,a,purchase\nu,b,dismiss\nu,c,impression\nu,d,waved\n"
    data = read_interactions(write_file(tmp_path, "a.csv", rows))
    assert get_item_rows(data) == {"u": ["a", "d"]}
    assert data.weight.tolist() == [5.0, 1.0]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "", "holds no interactions"),
        ("a.txt", "u1 x\nu2\n", "line 2: a user must be followed"),
        ("a.txt", "u1 x\nu1 y\n", "line 2: user 'u1' already had a line"),
        ("a.csv", "user,item\n1,2\n", "lacks the column user_id; it has user, item"),
        ("a.csv", "user_id,item_id\n", "holds no interactions"),
        ("a.csv", "user_id,item_id\nu,\n", "row 1: item_id is empty"),
        ("a.csv", "user_id,item_id,timestamp\nu,i,soon\n", "row 1: timestamp 'soon' is not a usable number"),
        ("a.csv", "user_id,item_id,timestamp\nu,i,-4\n", "row 1: timestamp '-4' is not a usable number"),
        ("a.csv", "user_id,item_id,rating\nu,i,3\nu,j,nan\n", "row 2: rating 'nan' is not a usable number"),
        ("a.csv", "", "cannot be read as CSV"),
        ("a.parquet", "not parquet", "cannot be read as PARQUET"),
    ],
)
def test_a_faulty_file_is_refused_in_one_sentence(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(DataError) as refused:
        read_interactions(write_file(tmp_path, name, text))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["gone.txt", "gone.csv", "gone.parquet"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=name):
        read_interactions(tmp_path / name)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"u1 \xff\xfe\n")
    with pytest.raises(DataError, match="not UTF-8"):
        read_interactions(tmp_path / "a.txt")


def test_item_texts_hold_title_categories_and_description(tmp_path: Path) -> None:
    rows = 'item_id,title,categories,description\n1,Lipstick,Beauty > Make-up,matte\n2,"Soap, mild",,\n'
    texts = read_item_texts(write_file(tmp_path, "i.csv", rows))
    assert all(word in texts["1"] for word in ("Lipstick", "Beauty", "Make-up", "matte"))
    assert "Soap, mild" in texts["2"]


def test_attribute_lists_are_texts(tmp_path: Path) -> None:
    texts = read_item_texts(write_file(tmp_path, "i.json", json.dumps({"4": [1, 2], "83": []})))
    assert texts == {"4": "1 . 2", "83": ""}


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ('[["Beauty", "Hair / Care"]]', ["Beauty", "Hair / Care"]),
        ('["Beauty", "Hair"]', ["Beauty", "Hair"]),
        (["Beauty", "Hair"], ["Beauty", "Hair"]),
        ("Beauty > Hair", ["Beauty", "Hair"]),
        ("Beauty|Hair", ["Beauty", "Hair"]),
        ("[broken", ["[broken"]),
        ("", []),
        (None, []),
    ],
)
def test_category_paths_come_in_many_forms(value: object, path: list[str]) -> None:
    assert parse_category_path(value) == path


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("i.xls", "", "must be a .csv, .parquet or .json file"),
        ("i.csv", "id,title\n1,a\n", "lacks the column item_id"),
        ("i.csv", "item_id,colour\n1,red\n", "has none of the columns title"),
        ("i.csv", "item_id,title\n,a\n", "row 1: item_id is empty"),
        ("i.csv", "item_id,title\n1,a\n1,b\n", "row 2: item '1' occurs twice"),
        ("i.json", "{", "is not JSON"),
        ("i.json", "[1]", "must hold one object"),
        ("i.json", '{"1": "red"}', "must have a list of attributes"),
    ],
)
def test_a_faulty_item_file_is_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(DataError) as refused:
        read_item_texts(write_file(tmp_path, name, text))
    assert message in str(refused.value)
