"""Visits the site so often, ten times a second; fails at the first visit that does."""
import sys
import time
from urllib.request import urlopen

for visit in range(int(sys.argv[1])):
    page = f"item?id={visit % 200}" if visit % 2 else f"page/{visit % 200}"
    with urlopen(f"http://198.51.100.10/{page}", timeout=5) as answer:
        answer.read()
    time.sleep(0.1)
