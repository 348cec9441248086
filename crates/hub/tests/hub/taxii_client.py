"""Reads and writes the exchange with taxii2-client, the client that everyone else uses.

Arguments: the hub's URL, the file of its authority, the file with our key and certificate.
Prints one JSON object for the test that runs it.
"""

import json
import sys

import requests
import stix2
from taxii2client.v21 import Server, as_pages

hub, authority, identity = sys.argv[1:]
server = Server(f"{hub}/taxii2/", verify=authority, cert=identity)
root = server.default
collection = root.collections[0]


def indicator(n):
    return stix2.Indicator(
        name=f"from stix2 {n}",
        pattern=f"[ipv4-addr:value = '203.0.113.{n}']",
        pattern_type="stix",
        valid_from="2026-01-01T00:00:00Z",
        object_marking_refs=["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"],
    )


def envelope_of(objects):
    return {"objects": [json.loads(one.serialize()) for one in objects]}


indicators = [indicator(n) for n in range(1, 6)]
status = collection.add_objects(envelope_of(indicators))

pages = list(as_pages(collection.get_objects, per_request=2))
read = [one for page in pages for one in page.get("objects", [])]
first = collection.get_object(indicators[0].id)
manifest = [
    one["id"]
    for page in as_pages(collection.get_manifest, per_request=2)
    for one in page.get("objects", [])
]
versions = collection.object_versions(indicators[0].id)
parsed = [stix2.parse(one) for one in read]

# More than the hub decides at once: the client polls the status until it is complete.
many = [indicator(n) for n in range(10, 70)]
large = collection.add_objects(envelope_of(many), poll_interval=0.1)
collection.delete_object(indicators[1].id)
try:
    gone = collection.get_object(indicators[1].id)
except requests.exceptions.HTTPError as error:
    gone = error.response.status_code

print(
    json.dumps(
        {
            "title": server.title,
            "can_write": collection.can_write,
            "successes": status.success_count,
            "status": status.status,
            "pages": len(pages),
            "read": [one["id"] for one in read],
            "written": [one.id for one in indicators],
            "names": [one.get("name") for one in parsed],
            "first": first["objects"][0]["name"],
            "manifest": manifest,
            "versions": versions["versions"],
            "large": [large.status, large.success_count, large.pending_count],
            "gone": gone,
        }
    )
)
