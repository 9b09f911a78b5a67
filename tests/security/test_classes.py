"""The table of security classes: what has bitten other clients, what is promised here, and the tests that show it.

Each class is one that is known from other HTTP clients by its CVEs. A test that is renamed or removed fails here.
"""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent

CLASSES: dict[str, tuple[str, ...]] = {
    "credentials and bodies go to no other host on a redirect": (
        "test_session.py::test_a_redirect_is_an_answer_and_nothing_goes_to_where_it_points",
        "security/test_hostile.py::test_a_token_endpoint_that_points_elsewhere_gets_no_secret_sent_there",
        "test_config.py::test_without_a_token_url_credentials_go_to_the_vendor_and_on_loopback_stay_there",
    ),
    "no secret in a repr, log line, error, traceback, warning, event, journal, reference, report, process title": (
        "security/test_secrets_anywhere.py::test_no_secret_is_in_anything_that_comes_out",
        "security/test_secrets_anywhere.py::test_no_spelling_of_a_secret_in_an_answer_reaches_an_error",
        "security/test_secrets_anywhere.py::test_settings_that_are_refused_show_no_variable_of_the_environment",
        "security/test_secrets_anywhere.py::test_credentials_that_are_refused_are_in_no_frame_of_ours",
        "security/test_secrets_anywhere.py::test_the_command_line_shows_no_secret_either",
        "security/test_secrets_anywhere.py::test_no_option_of_the_command_line_takes_a_secret",
        "security/test_secrets_anywhere.py::test_a_running_program_shows_its_secret_to_no_other_user",
        "test_session.py::test_no_error_shows_the_token",
        "test_session.py::test_no_error_of_the_token_endpoint_shows_secret_or_token",
        "test_secrets.py::test_it_is_not_pickled_nor_copied_nor_written_as_json",
        "resources/test_handover.py::test_no_credential_is_in_a_reference",
    ),
    "files with secrets, or with a user's values, are their owner's only": (
        "security/test_hostile.py::test_a_file_that_others_can_use_or_that_holds_more_than_a_secret_is_refused",
        "orchestration/journal/test_refusals.py::test_only_its_owner_may_read_it_whatever_the_umask",
    ),
    "no file of somebody else's is overwritten or removed": (
        "orchestration/journal/test_lock.py::test_a_link_is_no_lock_whatever_it_leads_to",
        "orchestration/journal/test_refusals.py::test_a_file_that_is_in_the_way_of_a_new_journal_is_named_and_left",
        "orchestration/journal/test_refusals.py::test_what_is_no_sound_journal_is_refused_and_left_byte_for_byte",
    ),
    "no proxy, cookie or credential of the machine is picked up": (
        "test_session.py::test_no_cookie_and_no_proxy_of_the_environment_is_used",
    ),
    "https only, except on loopback; certificates are always verified": (
        "test_config.py::test_any_other_address_is_refused_with_the_setting_named_and_no_password_shown",
        "test_session.py::test_a_certificate_that_nobody_vouches_for_is_final",
        "security/test_hostile.py::test_nothing_turns_the_verification_of_certificates_off",
        "security/test_hostile.py::test_no_variable_does_either",
    ),
    "no address is built from an answer, or from more than a checked base and a path": (
        "test_client.py::test_a_path_that_could_lead_elsewhere_is_refused_unsent",
        "wire/test_segments.py::test_any_raw_path_is_refused_or_stays_under_the_root",
        "test_config.py::test_any_text_is_an_address_or_a_configuration_error",
    ),
    "an id or a name is one path segment": (
        "wire/test_segments.py::test_any_text_is_exactly_one_segment_for_every_reader_of_the_url",
        "wire/test_segments.py::test_empty_and_dot_segments_are_refused",
        "security/test_hostile.py::test_no_name_and_no_id_leaves_its_place_in_a_request_an_error_or_a_log",
    ),
    "an answer is bounded, also after decompression": (
        "test_session.py::test_a_body_over_the_bound_is_refused_before_it_is_in_memory",
        "test_session.py::test_the_bound_is_32_mib_unless_told",
    ),
    "deep, huge or odd JSON is an error of ours": (
        "wire/test_codec.py::test_bytes_that_are_no_json_are_an_error_that_shows_the_first_line",
        "wire/test_problem.py::test_deep_nesting_is_no_crash",
        "wire/test_fuzz.py::test_any_bytes_are_read_or_refused",
        "wire/test_fuzz.py::test_broken_answers_are_read_or_refused",
    ),
    "data names no type": (
        "security/test_hostile.py::test_no_data_names_the_type_that_is_built",
        "security/test_hostile.py::test_the_converter_has_no_way_to_choose_a_type_by_the_data",
    ),
    "no header is injected": (
        "test_session.py::test_a_token_that_would_inject_a_header_is_refused_unsent",
        "security/test_hostile.py::test_a_whole_request_in_a_name_stays_a_name",
    ),
    "no line of a log is forged, and no terminal is spoken to": (
        "security/test_hostile.py::test_an_id_from_the_server_forges_no_line_of_the_log_either",
        "security/test_hostile.py::test_the_command_line_shows_a_hostile_name_as_text",
        "cli/test_escapes.py::test_shown_is_always_one_printable_line",
        "wire/test_problem.py::test_no_bytes_raise_and_no_control_character_comes_out",
    ),
    "no request is sent behind our back": ("test_session.py::test_a_reused_connection_that_ends_without_answer_is_one_attempt",),
    "the emulator is on loopback, and says so when told otherwise": (
        "security/test_hostile.py::test_the_emulator_listens_on_loopback_and_says_so_when_told_otherwise",
    ),
    "libraries with known holes are not accepted": ("security/test_classes.py::test_the_floors_are_the_first_releases_with_every_fix",),
}


def functions_of(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("promise", CLASSES)
def test_every_class_is_shown_by_tests_that_exist(promise: str) -> None:
    assert CLASSES[promise]
    for place in CLASSES[promise]:
        file, _, name = place.partition("::")
        assert name in functions_of(TESTS / file), place


def test_the_floors_are_the_first_releases_with_every_fix() -> None:
    """Aiohttp 3.14.5: redirects, decompression, DNS cache, parser; orjson 3.11.6: CVE-2025-67221."""
    project = tomllib.loads((TESTS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    floors = dict(found.groups() for one in wanted if (found := re.fullmatch(r"(\w+)>=([\d.]+)", one)))
    assert tuple(map(int, floors["aiohttp"].split("."))) >= (3, 14, 5)
    assert tuple(map(int, floors["orjson"].split("."))) >= (3, 11, 6)
