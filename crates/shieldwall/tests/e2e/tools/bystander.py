"""Visits the site, and fails at the first visit that does.

once: one visit
from ADDRESS PAGE: one visit, from this address
each STOP: ten a second until the file is there, each in a connection of its own; says how many
keep STOP: the same in one connection, behind three in their own
"""
import http.client
import os
import sys
import time


def connect(source=None):
    where = (source, 0) if source else None
    return http.client.HTTPConnection("198.51.100.10", 80, timeout=5, source_address=where)


def visit(connection, page):
    connection.request("GET", "/" + page, headers={"User-Agent": "office/1.0"})
    with connection.getresponse() as answer:
        answer.read()
        if answer.status != 200:
            sys.exit(f"{page}: {answer.status}")


def alone(page, source=None):
    connection = connect(source)
    visit(connection, page)
    connection.close()


def work(stop, keeps):
    visits = 0
    kept = None
    while not os.path.exists(stop):
        page = f"item?id={visits % 200}" if visits % 2 else f"page/{visits % 200}"
        if keeps and visits == 3:
            kept = connect()
        visit(kept, page) if kept else alone(page)
        visits += 1
        time.sleep(0.1)
    print(visits)


manner, *others = sys.argv[1:]
if manner == "once":
    alone("page/0")
elif manner == "from":
    alone(others[1], others[0])
else:
    work(others[0], manner == "keep")
