"""The AsyncAPI 3.0 document: the topics, what is on them, and how another program takes part."""

from typing import Any

from contracts.codec import EVENTS_BY_TOPIC
from contracts.envelope import CONTENT_TYPE
from contracts.event_keys import key_pattern
from contracts.reasons import UnreadableReason
from contracts.topics import DIRECTORY, PROVISIONING, QUARANTINE, REQUESTS, TOPICS, TopicDefinition

_WRITTEN_BY_OTHERS = (DIRECTORY.name, REQUESTS.name)
_SCHEMA_FORMAT = "application/schema+json;version=draft-2020-12"
_DESCRIPTION = """\
Records are CloudEvents 1.0. We publish structured mode: the value is one JSON document and the header content-type is
application/cloudevents+json. On directory.events and migration.requests we also accept binary mode: attributes as ce_*
headers, the value is the data alone. A record's key is the one given with its message, its partition is
murmur2(key) mod the number of partitions, as the Java client does it (partitioner=murmur2_random in librdkafka
clients, whose default is another). Values over 1 MiB are unreadable. None, gzip, lz4, snappy and zstd compression are
accepted; we use zstd. What can't be read goes to migration.quarantine with the reason; a readable request that makes no
sense is answered with MigrationRejected. On provisioning.events `sequence` is gapless per partition: fold
sequence = last + 1, drop lower ones, wait for what is missing. An operator's topic prefix comes before each address.
"""
_QUARANTINE_HEADERS = {
    "reason": f"One of {', '.join(UnreadableReason)}.",
    "detail": "What is wrong, for people.",
    "topic": "Where the record came from, without prefix.",
    "partition": "Its partition, in decimal digits.",
    "offset": "Its offset, in decimal digits.",
}
_ATTRIBUTES = {"id": True, "source": True, "type": True, "time": True, "subject": False}


def document(version: str) -> dict[str, Any]:
    """Give the whole document, ready for JSON."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Planshift", "version": version, "description": _DESCRIPTION},
        "defaultContentType": "application/cloudevents+json",
        "servers": {
            "local": {
                "host": "127.0.0.1:9092",
                "protocol": "kafka",
                "description": "The broker that `planshift up` starts; it prints the port that it really has.",
            }
        },
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {_operation_name(topic): _operation(topic) for topic in TOPICS},
        "components": {"messages": _messages()},
    }


def _channel(topic: TopicDefinition) -> dict[str, Any]:
    names = _message_names(topic.name)
    return {
        "address": topic.name,
        "description": topic.description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": _topic_configuration(topic),
                "bindingVersion": "0.5.0",
            }
        },
        "x-partitioner": "murmur2",
    }


def _topic_configuration(topic: TopicDefinition) -> dict[str, Any]:
    numbers = {name: int(value) for name, value in topic.config.items() if name != "cleanup.policy"}
    return {"cleanup.policy": [topic.config["cleanup.policy"]], **numbers}


def _message_names(topic: str) -> list[str]:
    if topic == QUARANTINE.name:
        return ["QuarantinedRecord"]
    names = [model.__name__ for model in EVENTS_BY_TOPIC[topic]]
    return [*names, *(f"{name}Binary" for name in names)] if topic in _WRITTEN_BY_OTHERS else names


def _operation_name(topic: TopicDefinition) -> str:
    action = "receive" if topic.name in _WRITTEN_BY_OTHERS else "send"
    return action + "".join(word.capitalize() for word in topic.name.split("."))


def _operation(topic: TopicDefinition) -> dict[str, Any]:
    return {
        "action": "receive" if topic.name in _WRITTEN_BY_OTHERS else "send",
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": topic.description,
    }


def _messages() -> dict[str, Any]:
    messages: dict[str, Any] = {"QuarantinedRecord": _quarantined()}
    for topic, models in EVENTS_BY_TOPIC.items():
        for model in models:
            messages[model.__name__] = _structured(model)
            if topic in _WRITTEN_BY_OTHERS:
                messages[f"{model.__name__}Binary"] = _binary(model)
    return messages


def _structured(model: Any) -> dict[str, Any]:  # noqa: ANN401 - a class of one of the contracts' models
    return {
        **_named(model, model.__name__),
        "contentType": "application/cloudevents+json",
        "headers": {
            "type": "object",
            "required": ["content-type"],
            "properties": {
                "content-type": {"const": CONTENT_TYPE},
                "type": {"const": model.TYPE, "description": "Lets a reader skip without parsing; may be absent."},
                "id": {"type": "string"},
                "sequence": {"type": "string", "pattern": "^[0-9]+$"},
            },
        },
        "payload": _payload(f"./schemas/{model.TYPE}.json"),
    }


def _binary(model: Any) -> dict[str, Any]:  # noqa: ANN401 - a class of one of the contracts' models
    attributes = {f"ce_{name}": {"type": "string"} for name in _ATTRIBUTES}
    return {
        **_named(model, f"{model.__name__}Binary"),
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "required": ["ce_specversion", *(f"ce_{name}" for name, needed in _ATTRIBUTES.items() if needed)],
            "properties": {"ce_specversion": {"const": "1.0"}, **attributes, "ce_type": {"const": model.TYPE}},
        },
        "payload": _payload(f"./schemas/{model.TYPE}.json#/$defs/{model.__name__}"),
    }


def _named(model: Any, name: str) -> dict[str, Any]:  # noqa: ANN401 - a class of one of the contracts' models
    pattern = key_pattern(model)
    return {
        "name": name,
        "title": model.__name__,
        "summary": model.__doc__.partition("\n")[0],
        "bindings": {
            "kafka": {"key": {"type": "string", "description": f"`{pattern}`"}, "bindingVersion": "0.5.0"},
        },
    }


def _payload(reference: str) -> dict[str, Any]:
    return {"schemaFormat": _SCHEMA_FORMAT, "schema": {"$ref": reference}}


def _quarantined() -> dict[str, Any]:
    return {
        "name": "QuarantinedRecord",
        "title": "QuarantinedRecord",
        "summary": "A record that could not be read: original key, value and headers, and headers that say why.",
        "contentType": "application/octet-stream",
        "headers": {
            "type": "object",
            "required": [f"planshift-{name}" for name in _QUARANTINE_HEADERS],
            "properties": {
                f"planshift-{name}": {"type": "string", "description": text}
                for name, text in _QUARANTINE_HEADERS.items()
            },
        },
        "payload": {},
    }


PUBLISHED_BY = {
    DIRECTORY.name: "any source: `planshift directory import`, other systems",
    REQUESTS.name: "the wizard, other systems",
    PROVISIONING.name: "the provisioning engine alone",
}
"""Who writes what is on a topic, for people."""
