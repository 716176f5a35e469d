#!/usr/bin/env bash
# A burst by REST alone: start the server, start a run, break a named pipe, watch, read the report.
# Needs curl and python3. TOCSIN names the command, PORT the port, PACE the speed of event
# time (max, or seconds per second), PIPE the pipe that breaks.
set -euo pipefail

TOCSIN=${TOCSIN:-tocsin}
PORT=${PORT:-8000}
PACE=${PACE:-1800}
PIPE=${PIPE:-P0086}
API=http://127.0.0.1:$PORT
JSON='Content-Type: application/json'

# Prints one member of the JSON on stdin: `get id`, `get items.0.id`.
get() {
  python3 -c 'import functools, json, sys
step = lambda part, key: part[int(key) if key.lstrip("-").isdigit() else key]
print(functools.reduce(step, sys.argv[1].split("."), json.load(sys.stdin)))' "$1"
}

echo "# Start the server and wait until it is ready."
"$TOCSIN" serve --port "$PORT" &
SERVER=$!
trap 'kill -INT $SERVER 2>/dev/null; wait $SERVER 2>/dev/null || true' EXIT
curl --silent --fail --retry 60 --retry-delay 1 --retry-connrefused "$API/readyz"; echo

echo; echo "# Make a run of a quiet day of 14 hours; it waits for its start."
RUN=$(curl --silent --fail-with-body "$API/runs" -H "$JSON" -d '{
  "scenario": {
    "name": "quiet-morning",
    "title": "Nothing happens unless you make it",
    "city": {"generate": {"junctions": 120, "seed": 7}},
    "start": "2026-06-01T00:00:00+08:00",
    "duration": "14h"
  },
  "pace": "'"$PACE"'",
  "start": false
}' | get id)
curl --silent "$API/runs/$RUN" | python3 -m json.tool

echo; echo "# The pipes of its network that are at least 150 mm wide."
curl --silent "$API/runs/$RUN/network?kind=pipe" | python3 -c 'import json, sys
pipes = json.load(sys.stdin)["features"]
wide = [pipe["id"] for pipe in pipes if pipe["properties"]["diameter_mm"] >= 150]
print(*wide, "of", len(pipes))'

echo; echo "# Let pipe $PIPE burst six hours after the start; it loses half of the town's demand."
curl --silent --fail-with-body "$API/runs/$RUN/incidents" -H "$JSON" \
  -d '{"kind": "burst", "element": "'"$PIPE"'", "share_of_demand": 0.5, "after": "6h"}' \
  | python3 -m json.tool

echo; echo "# Start it and watch the seven stages until the run is over."
curl --silent --fail-with-body --request POST "$API/runs/$RUN/start" | get state
curl --silent --no-buffer "$API/runs/$RUN/events" | python3 -c 'import json, sys
for line in sys.stdin:
    if not line.startswith("data: "):
        continue
    event = json.loads(line[6:])
    if event.get("text"):
        print(event["time"][11:16], event["stage"].ljust(9), event["text"], flush=True)'

echo; echo "# What the platform made of it: the incident that matches it, and its timeline."
INCIDENT=$(curl --silent "$API/runs/$RUN/evaluation" | get run.matches.API1)
curl --silent "$API/runs/$RUN/incidents/$INCIDENT" | python3 -c 'import json, sys
story = json.load(sys.stdin)
incident = story["incident"]
print(incident["id"], incident["status"], incident["cause"], incident["level_text"])
print("held to be at", ", ".join(incident["location"]["candidates"][:3]))
for entry in story["timeline"]:
    print(entry["time"][11:16], entry["stage"].ljust(9), entry["reason"])'

echo; echo "# Its scores against the truth."
curl --silent "$API/runs/$RUN/evaluation" | python3 -m json.tool

echo; echo "# The report of the run."
REPORT=$(curl --silent "$API/runs/$RUN/reports" | get items.-1.id)
curl --silent "$API/runs/$RUN/reports/$REPORT"
