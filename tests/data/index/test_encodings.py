"""The letters of a table are those that were saved, or it is said that this is not clear."""

from pathlib import Path

import pytest

from comp.core.errors import DataError
from comp.data.index.encodings import decode

HERE = Path("t.csv")


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp949", "id,종류\n1,고양이\n2,개\n"),
        ("cp949", "id,혈액형\n1,A형\n2,B형\n"),
        ("cp1252", "id,label\n1,café\n2,Ärger\n"),  # cp949 would read a syllable in Ärger
        ("cp1252", "id,label\n1,INFECÇÃO\n2,NÃO\n"),  # and in this one a usual syllable
        ("cp1252", "id,Ärzte\n1,Ähre\n2,Übung\n"),
        ("cp1252", "id,label\n1,À la carte\n2,crème brûlée\n3,“5€”\n"),
        ("cp932", "id,ラベル\n1,猫\n2,犬\n"),
        ("cp932", "id,label\n1,良品\n2,不良\n"),
        ("euc_jp", "id,label\n1,ねこ\n2,いぬ\n"),
        ("gb18030", "文件,类别\n1,正常\n2,缺陷\n"),
        ("big5", "檔案,類別\n1,正常\n2,瑕疵\n"),
        ("cp1251", "id,метка\n1,Кошка\n2,собака\n"),
        ("cp1250", "id,label\n1,żółw\n2,książka\n"),
        ("utf-16-le", "id,label\n1,café\n"),
        ("utf-16-be", "id,label\n1,고양이\n"),
    ],
)
def test_the_letters_decide_and_it_is_told(encoding, text):
    found = decode(HERE, text.encode(encoding))
    assert (found.text, found.encoding) == (text, encoding)
    assert encoding in found.note


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_believed(encoding):
    found = decode(HERE, "id,이름\n".encode(encoding), "cp949")
    assert found.text == "id,이름\n"
    assert found.mark + found.text.encode(found.encoding) == "id,이름\n".encode(encoding)


def test_plain_utf_8_needs_no_note():
    assert decode(HERE, "id,이름\n".encode()).note == ""


def test_chinese_that_could_be_korean_is_not_guessed():
    with pytest.raises(DataError, match="cp949 .* or gb18030 .'猫', '狗'.*set data.encoding"):
        decode(HERE, "id,label\n1,猫\n2,狗\n".encode("gb18030"))
    assert "猫" in decode(HERE, "id,label\n1,猫\n".encode("gb18030"), "gb18030").text


def test_the_encoding_of_the_config_is_for_what_is_no_utf_8():
    western = "id,label\n1,œuf\n".encode("iso8859-15")
    assert "œuf" in decode(HERE, western, "iso8859-15").text
    assert "’œuf" in decode(HERE, "id,label\n1,l’œuf\n".encode(), "iso8859-15").text
    with pytest.raises(DataError, match=r"t\.csv: line 2: not euc_kr text; set data.encoding"):
        decode(HERE, b"id\n\xff\xff\n", "euc_kr")


def test_what_no_encoding_explains_names_the_key():
    with pytest.raises(DataError, match="recognised.*set data.encoding"):
        decode(HERE, "id,label\n1,œuf\n".encode("iso8859-15"))
    with pytest.raises(DataError, match="holds bytes that are no text"):
        decode(HERE, b"id\0\0,\0\0\0x\0")


def test_a_letter_late_in_a_long_table_is_judged_too():
    text = "id,label\n" + "1,cat\n" * 9000 + "2,Ähre\n"
    assert decode(HERE, text.encode("cp1252")).text == text
