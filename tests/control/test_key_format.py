"""The text format of API keys, without a database."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.control.key_format import compute_checksum, fingerprint, mint_api_key, parse_api_key


def test_a_minted_key_parses_to_its_parts() -> None:
    parts, text = mint_api_key("eu")
    assert parse_api_key(text) == parts


def test_a_key_contains_its_region_and_a_long_secret() -> None:
    parts, text = mint_api_key("cn")
    assert text.startswith("lep_live_cn_")
    assert (len(parts.id) >= 12, len(parts.secret) >= 32) == (True, True)


def test_ten_thousand_keys_share_no_id_and_no_secret() -> None:
    minted = [mint_api_key("us")[0] for _ in range(10_000)]
    assert len({parts.id for parts in minted}) == len({parts.secret for parts in minted}) == 10_000


def test_every_single_typing_error_is_refused() -> None:
    _, text = mint_api_key("eu")
    mistyped = [text[:n] + ("x" if text[n] != "x" else "y") + text[n + 1 :] for n in range(len(text))]
    assert [typo for typo in mistyped if parse_api_key(typo) is not None] == []


@given(st.text(max_size=120))
def test_arbitrary_text_is_refused_without_an_exception(text: str) -> None:
    assert parse_api_key(text) is None


@pytest.mark.parametrize(
    "text", ["", "lep_live_eu_", "lep_live_eu_a_b", "lep_test_eu_aaaaaaaaaaaa_" + "b" * 46]
)
def test_text_that_only_resembles_a_key_is_refused(text: str) -> None:
    assert parse_api_key(text) is None


def test_a_trailing_newline_is_refused() -> None:
    assert parse_api_key(mint_api_key("eu")[1] + "\n") is None


def test_the_secret_is_in_no_representation() -> None:
    parts, _ = mint_api_key("eu")
    assert parts.secret not in repr(parts)


def test_the_fingerprint_depends_on_the_pepper() -> None:
    assert fingerprint("secret", b"a" * 32) != fingerprint("secret", b"b" * 32)


def test_the_checksum_has_six_characters() -> None:
    assert {len(compute_checksum(str(n))) for n in range(1_000)} == {6}
