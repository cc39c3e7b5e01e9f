"""A backend in 40 lines: whoever plugs in may charge, and what was charged is printed. `python minimal.py [REDIS_URL]`"""

import json
import sys

import redis

PROCESSING = "events:processing"
connection = redis.Redis.from_url(sys.argv[1] if len(sys.argv) > 1 else "redis://127.0.0.1:6379")


def send(charger, command, data, id):
    """Give the gateway a command; a command_result with this id tells what came of it, and no id is executed twice."""
    connection.rpush("commands", json.dumps({"cp_id": charger, "command": command, "data": data, "id": id}))


def apply(event):
    """What an event leads to here."""
    data = event["data"]
    match event["event"]:
        case "change_connector_status" if data["status"] in ("Preparing", "Occupied"):
            send(data["charger"], "remote_start_transaction", {"tag": "GUEST", "connector_id": data["conn"]}, id=event["id"])
        case "start_transaction":
            print(f"{data['charger']} charges for {data['tag']}", flush=True)
        case "stop_transaction":
            print(f"{data['charger']} has charged {data['energy_wh']} Wh", flush=True)
        case "command_result" if data["status"] != "Accepted":
            print(f"{data['charger']} does not start: {data['outcome']} {data['status'] or data['error']}", flush=True)


while True:
    # In one step from one list to the other, and off that once it is applied: a crash loses nothing, but may apply the last one again.
    element = connection.lindex(PROCESSING, 0) or connection.blmove("events", PROCESSING, 0, "LEFT", "RIGHT")
    apply(json.loads(element))
    connection.lrem(PROCESSING, 1, element)
