"""What stands around the cells of a competition's table is left out and told."""

from pathlib import Path

import pytest

from comp.config.schema import DataConfig
from comp.core.errors import DataError
from comp.data.index.data_tables import header_names, looks_like_data, read_any, read_data_table


def table_of(folder: Path, text: str, saved: str = "utf-8", headless: bool = False, **data):
    path = folder / "train.csv"
    path.write_bytes(text.encode(saved))
    return read_data_table(path, DataConfig(root=str(folder), **data), headless=headless)


@pytest.mark.parametrize(
    "text",
    [
        "id, label\n1, cat\n2, dog\n",
        "id\t label \n1\t cat \n2\t dog \n",
        "id ; label\n1 ; cat\n2 ; dog\n",
        'id, "label"\n1, "cat"\n2, "dog"\n',
        "\u200bid,\xa0label\u3000\n1\ufeff,\xa0cat\n2,dog\xa0\n",
        "id,label\n1,cat\n2, dog\n",
    ],
)
def test_spaces_around_names_and_cells_are_left_out(tmp_path, text):
    assert table_of(tmp_path, text).values == {"id": ["1", "2"], "label": ["cat", "dog"]}


def test_it_is_told_of_which_columns(tmp_path):
    table = table_of(tmp_path, "id, a,b\n1, 0,x y\n2, 1,z\n")
    assert table.notes == ("spaces around the cells of 'a' are left out",)
    assert table_of(tmp_path, "id,a\n1,0\n").notes == ()


def test_texts_that_would_become_one_keep_the_spaces_behind_them(tmp_path):
    table = table_of(tmp_path, "id,label\n1,cat\n2,cat \n3, dog\n")
    assert table.values["label"] == ["cat", "cat ", "dog"]
    assert table_of(tmp_path, "id,n\n1,1\n2,1 \n").values["n"] == ["1", "1"]
    table = table_of(tmp_path, "id,g\n1,P\n2,P \n", group="g")
    assert table.values["g"] == ["P", "P"]


@pytest.mark.parametrize(
    "text",
    [
        ",id,label\n0,x,cat\n1,y,dog\n",
        "Unnamed: 0,id,label\n7,x,cat\n5,y,dog\n",
        ",Unnamed: 0,id,label\n0,0.0,x,cat\n1,1.0,y,dog\n",
        "id,label,\nx,cat,\ny,dog,\n",
        "id,,label,,\nx,,cat,,\ny,,dog,,\n",
        "id,label\nx,cat\n,\ny,dog\n,\n",
        "\n\nid,label\r\r\n\r\nx,cat\r\n  \r\ny,dog\r\n",
        "id,label\rx,cat\ry,dog",
        "id,label\rx,cat\ny,dog\r\n",
    ],
)
def test_row_numbers_and_blank_lines_are_left_out(tmp_path, text):
    table = table_of(tmp_path, text)
    assert table.values == {"id": ["x", "y"], "label": ["cat", "dog"]}
    assert bool(table.notes) == (text[:9] != "id,label\r")


def test_a_nameless_column_of_ids_is_no_row_number(tmp_path):
    table = table_of(tmp_path, ",label\nx.png,cat\ny.png,dog\n")
    assert table.values["Unnamed: 0"] == ["x.png", "y.png"]
    assert table.notes == ("columns without a name are called 'Unnamed: 0'",)
    assert "Unnamed: 0" in table_of(tmp_path, ",label\n0,cat\n1,dog\n").columns
    named = table_of(tmp_path, ",id,label\n0,x,cat\n1,y,dog\n", id="Unnamed: 0")
    assert named.columns == ("Unnamed: 0", "id", "label")


def test_what_is_left_out_is_kept_for_a_submission(tmp_path):
    table = table_of(tmp_path, ",id,label\n0, x,cat\n1, y,dog\n")
    assert table.order == ("Unnamed: 0", "id", "label")
    assert table.written == {"Unnamed: 0": ["0", "1"], "id": [" x", " y"]}


def test_a_table_without_a_header_takes_the_names_of_the_config(tmp_path):
    names = {"columns": ["id", "label"]}
    table = table_of(tmp_path, "0000,a\n0001,b\n", headless=True, **names)
    assert table.values == {"id": ["0000", "0001"], "label": ["a", "b"]}
    assert (table.lines, table.form.headless) == ((1, 2), True)
    assert len(table_of(tmp_path, "label,id\na,0000\n", headless=True, **names)) == 1
    # another table has a header unless its first line looks like data
    assert len(table_of(tmp_path, "image,answer\na,b\n", **names)) == 1
    assert table_of(tmp_path, "0100,a\n", **names).values["id"] == ["0100"]
    with pytest.raises(DataError, match="names 2 columns .*first line has 3 cells"):
        table_of(tmp_path, "0000,a,b\n", headless=True, **names)


def test_equal_cells_of_a_row_in_place_of_the_header_are_told_apart():
    assert header_names(["a.png", "0", "1", "0"]) == ["a.png", "0", "1", "0.1"]
    assert header_names(["7", "0", "0", "0"]) == ["7", "0", "0.1", "0.1.1"]
    assert header_names(["id", "0", "0"]) == ["id", "0", "0"]  # refused as repeated


def test_names_that_are_data():
    assert all(map(looks_like_data, ["0000", "-1.5", "1e3", "a/b", "x.PNG"]))
    assert not any(map(looks_like_data, ["id", "image_id", "a.b", ""]))
    assert header_names([" id", "", "x"], [" id"]) == [" id", "Unnamed: 1", "x"]


def test_the_encoding_is_that_of_the_config_and_told(tmp_path):
    text = "id,label\n1,café\n"
    assert table_of(tmp_path, text, "mac_roman", encoding="mac_roman").values["label"] == ["café"]
    table = table_of(tmp_path, text, "utf-16")
    assert (table.values["label"], table.notes) == (["café"], ("the text is utf-16-le",))


def test_long_cells_are_read(tmp_path):
    runs = "1 2 " * 60_000
    table = table_of(tmp_path, f'id,rle\n1,"{runs}"\n2,{runs}\n')
    assert [*map(len, table.values["rle"])] == [len(runs) - 1] * 2
    assert read_any(table.path).values == table.values


def test_the_tables_of_a_data_set_have_one_encoding(tmp_path):
    """Alone the sample would be read as Chinese: the Polish table beside it decides."""
    sample, data = tmp_path / "sample_submission.csv", DataConfig(root=str(tmp_path))
    sample.write_bytes("id,label\n3,żółw\n".encode("cp1250"))
    assert read_data_table(sample, data).values["label"] != ["żółw"]
    table_of(tmp_path, "id,label\n1,kot\n")  # ASCII alone says nothing
    assert read_data_table(sample, data).values["label"] != ["żółw"]
    table_of(tmp_path, "id,label\n1,żółw\n2,książka\n3,mąka\n", "cp1250")
    assert read_data_table(sample, data).values["label"] == ["żółw"]
    sample.write_bytes("id,label\n3,Łódź\n".encode("cp1250"))
    assert read_data_table(sample, data).values["label"] == ["Łódź"]
