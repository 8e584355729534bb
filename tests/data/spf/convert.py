"""Makes rfc7208-tests.json of the openspf.org suite (rfc7208-tests.yml, in pyspf's source package)."""

import json
import sys

import yaml


def records(rows):
    """Each row as (type, value); SPF stands for TXT where there is no TXT, as the suite means it."""
    found, copies, generate = [], [], True
    for row in rows:
        if row == "TIMEOUT":
            found.append(["*", "TIMEOUT"])
            continue
        for kind, value in row.items():
            if kind in ("TXT", "SPF"):
                value = value if isinstance(value, str) else "".join(value)
            if kind == "TXT":
                generate = False
            elif kind == "SPF" and generate:
                copies.append(["TXT", value])
            if value != "NONE" and kind != "SPF":
                found.append([kind, value])
    return found + (copies if generate else [])


scenarios = []
for data in yaml.safe_load_all(open(sys.argv[1], encoding="utf-8")):
    zone = {name.lower(): records(rows) for name, rows in data["zonedata"].items()}
    tests = {}
    for name, test in data["tests"].items():
        result = test["result"]
        tests[name] = {
            "helo": test["helo"], "host": test["host"], "mailfrom": test.get("mailfrom") or "",
            "result": result if isinstance(result, list) else [result],
        }
        if "explanation" in test:
            tests[name]["explanation"] = test["explanation"]
    scenarios.append({"description": data["description"], "zone": zone, "tests": tests})
json.dump(scenarios, open(sys.argv[2], "w", encoding="utf-8"), separators=(",", ":"), ensure_ascii=False)
