"""What is generated from the contracts is committed, right and frozen."""

import json
import shutil
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from contracts import generate
from contracts.async_api import document
from contracts.codec import EVENT_BY_TYPE, EVENTS_BY_TOPIC, TOPIC_BY_TYPE, UnreadableError, decode, encode
from contracts.json_schema import schema_of
from contracts.samples import sample_envelopes
from contracts.topics import TOPICS

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "contracts" / "examples").glob("*.json"))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the generated files that a test may spoil."""
    shutil.copytree(ROOT / "contracts" / "schemas", tmp_path / "contracts" / "schemas")
    shutil.copytree(ROOT / "contracts" / "examples", tmp_path / "contracts" / "examples")
    shutil.copy(ROOT / "contracts" / "asyncapi.json", tmp_path / "contracts" / "asyncapi.json")
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "events.md", tmp_path / "docs" / "events.md")
    return tmp_path


def test_committed_files_are_what_the_models_say() -> None:
    assert generate.differences(ROOT) == []


def test_every_type_has_a_sample_and_a_frozen_example() -> None:
    assert set(sample_envelopes()) == set(EVENT_BY_TYPE)
    assert set(EVENT_BY_TYPE) <= {path.stem for path in EXAMPLES}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_frozen_example_still_decodes(path: Path) -> None:
    envelope = generate.read_example(path)
    assert envelope.type == path.stem


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_frozen_example_obeys_its_committed_schema(path: Path) -> None:
    schema = json.loads((ROOT / "contracts" / "schemas" / path.name).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(json.loads(path.read_bytes()))


@pytest.mark.parametrize("event_type", list(EVENT_BY_TYPE))
def test_a_schema_refuses_what_lacks_a_required_field(event_type: str) -> None:
    envelope = sample_envelopes()[event_type]
    document_ = json.loads(encode(envelope))
    document_["data"].pop("revision" if "revision" in schema_required(event_type) else "request")
    assert not Draft202012Validator(schema_of(event_type)).is_valid(document_)
    with pytest.raises(UnreadableError):
        decode(TOPIC_BY_TYPE[event_type], envelope.data.key().encode(), json.dumps(document_).encode(), [])


def schema_required(event_type: str) -> list[str]:
    """Give the required fields of the type's data that a directory event has, or a request's."""
    required: list[str] = schema_of(event_type)["$defs"][EVENT_BY_TYPE[event_type].__name__]["required"]
    return required if TOPIC_BY_TYPE[event_type] == "directory.events" else []


def test_a_stale_schema_is_found_and_written_again(copy: Path) -> None:
    path = copy / "contracts" / "schemas" / "planshift.directory.user-registered.v1.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    del schema["$defs"]["UserRegistered"]["properties"]["email"]
    path.write_text(json.dumps(schema), encoding="utf-8")
    assert generate.main(["--check", "--root", str(copy)]) == 1
    assert generate.main(["--root", str(copy)]) == 0
    assert generate.main(["--check", "--root", str(copy)]) == 0


def test_a_schema_whose_field_is_gone_from_the_model_is_not_written(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copy / "contracts" / "schemas" / "planshift.directory.user-registered.v1.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    schema["$defs"]["UserRegistered"]["properties"]["telephone"] = {"type": "string"}
    path.write_text(json.dumps(schema), encoding="utf-8")
    assert generate.main(["--root", str(copy)]) == 1
    assert "/data/telephone: removed" in capsys.readouterr().out
    assert "telephone" in path.read_text(encoding="utf-8")


def test_a_type_that_is_gone_is_found(copy: Path) -> None:
    gone = copy / "contracts" / "schemas" / "planshift.directory.department-registered.v1.json"
    gone.write_text("{}", encoding="utf-8")
    assert "planshift.directory.department-registered.v1: the type is gone" in generate.differences(copy)


def test_an_existing_example_is_never_written_again(copy: Path) -> None:
    path = copy / "contracts" / "examples" / "planshift.directory.user-registered.v1.json"
    changed = path.read_text(encoding="utf-8").replace("Ada Lovelace", "Grace Hopper")
    path.write_text(changed, encoding="utf-8")
    assert generate.main(["--root", str(copy)]) == 0
    assert path.read_text(encoding="utf-8") == changed


def test_an_example_that_no_longer_decodes_is_found(copy: Path) -> None:
    path = copy / "contracts" / "examples" / "planshift.directory.user-registered.v1.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"name"', '"label"'), encoding="utf-8")
    problems = generate.differences(copy)
    assert any("the frozen example can't be read" in problem and "/data/name" in problem for problem in problems)


def test_the_asyncapi_document_names_every_topic_and_every_event() -> None:
    made = document("1.0.0")
    assert set(made["channels"]) == {topic.name for topic in TOPICS}
    for topic in TOPICS:
        kafka = made["channels"][topic.name]["bindings"]["kafka"]
        assert kafka["partitions"] == topic.partitions
        assert kafka["topicConfiguration"]["cleanup.policy"] == [topic.config["cleanup.policy"]]
    for topic_name, models in EVENTS_BY_TOPIC.items():
        assert {model.__name__ for model in models} <= set(made["channels"][topic_name]["messages"])
    assert "murmur2_random" in made["info"]["description"]


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    made = document("1.0.0")
    for channel in made["channels"].values():
        for message in channel["messages"].values():
            assert message["$ref"].rpartition("/")[2] in made["components"]["messages"]
    for name, message in made["components"]["messages"].items():
        if name == "QuarantinedRecord":
            continue
        file, _, pointer = message["payload"]["schema"]["$ref"].partition("#")
        schema = json.loads((ROOT / "contracts" / file).read_text(encoding="utf-8"))
        assert not pointer or pointer.rpartition("/")[2] in schema["$defs"]
