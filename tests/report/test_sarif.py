"""SARIF 2.1.0: the parts of the standard that qprep uses, written down as a schema that allows nothing else."""

from __future__ import annotations

import json
from typing import Any

import jsonschema

from qprep.cli.reporters import Report, render

LEVEL = {"enum": ["none", "note", "warning", "error"]}
NUMBER = {"type": "integer", "minimum": 1}


def closed(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    properties = {**required, **(optional or {})}
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def array(items: dict[str, Any], least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": least}


TEXT = closed({"text": {"type": "string", "minLength": 1, "maxLength": 1024}})
REGION = closed({"startLine": NUMBER, "startColumn": NUMBER, "endLine": NUMBER, "endColumn": NUMBER})
ARTIFACT = closed({"uri": {"type": "string", "format": "uri-reference", "pattern": "^[^ ]+$"}})
LOCATION = closed({"physicalLocation": closed({"artifactLocation": ARTIFACT, "region": REGION})})
REPLACEMENT = closed({"deletedRegion": REGION, "insertedContent": closed({"text": {"type": "string"}})})
CHANGE = closed({"artifactLocation": ARTIFACT, "replacements": array(REPLACEMENT, 1)})
FIX = closed({"description": TEXT, "artifactChanges": array(CHANGE, 1)})
RULE = closed(
    {
        "id": {"type": "string", "pattern": "^QP[0-9]{3}$"},
        "name": {"type": "string", "pattern": "^[A-Z][A-Za-z0-9]+$"},
        "shortDescription": TEXT,
        "fullDescription": TEXT,
        "help": TEXT,
        "defaultConfiguration": closed({"level": LEVEL}),
        "properties": {"type": "object"},
    }
)
RESULT = closed(
    {
        "ruleId": {"type": "string"},
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": LEVEL,
        "message": TEXT,
        "locations": array(LOCATION, 1),
        "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    {"fixes": array(FIX, 1), "properties": {"type": "object"}},
)
NOTIFICATION = closed(
    {"level": LEVEL, "message": TEXT, "locations": array(LOCATION), "descriptor": closed({"id": {"type": "string"}})}
)
INVOCATION = closed({"executionSuccessful": {"type": "boolean"}, "toolExecutionNotifications": array(NOTIFICATION)})
DRIVER = closed({"name": {"const": "qprep"}, "semanticVersion": {"type": "string"}, "rules": array(RULE)})
RUN = closed(
    {
        "tool": closed({"driver": DRIVER}),
        "columnKind": {"const": "unicodeCodePoints"},
        "invocations": array(INVOCATION, 1),
        "results": array(RESULT),
    }
)
LOG = closed(
    {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {**array(RUN, 1), "maxItems": 20},
    }
)


def test_logs_have_the_shape_of_the_standard(report: Report, clean: Report) -> None:
    for each in (report, clean):
        jsonschema.validate(json.loads(render("sarif", each)), LOG)


def test_results_point_at_their_rules(report: Report) -> None:
    run = json.loads(render("sarif", report))["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["QP001", "QP003", "QP101", "QP102", "QP201"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    levels = {result["ruleId"]: result["level"] for result in run["results"]}
    assert levels == {"QP201": "warning", "QP102": "error", "QP001": "error", "QP101": "warning", "QP003": "error"}


def test_files_that_were_not_analysed_are_notifications(report: Report) -> None:
    (invocation,) = json.loads(render("sarif", report))["runs"][0]["invocations"]
    assert [item["descriptor"]["id"] for item in invocation["toolExecutionNotifications"]] == ["QP001", "QP003"]


def test_fixes_keep_their_files_apart(report: Report) -> None:
    results = json.loads(render("sarif", report))["runs"][0]["results"]
    assert [result["properties"]["notes"] for result in results if "properties" in result] == [["mind the step"]]
    (fix,) = next(result["fixes"] for result in results if result["ruleId"] == "QP101")
    assert [len(change["replacements"]) for change in fix["artifactChanges"]] == [1, 2]
    assert fix["artifactChanges"][1]["replacements"][0]["insertedContent"]["text"] == "import new\n"


def test_fingerprints_are_unique(report: Report) -> None:
    results = json.loads(render("sarif", report))["runs"][0]["results"]
    assert len({result["partialFingerprints"]["primaryLocationLineHash"] for result in results}) == 5
