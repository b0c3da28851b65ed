"""Progress lines of `run --json` on standard input: what changed, and when."""
import json
import sys
from datetime import datetime

first, before = None, None
for line in sys.stdin:
    try:
        one = json.loads(line)
    except ValueError:
        continue
    if one.get("type") != "progress":
        continue
    at = datetime.fromisoformat(one["at"].replace("Z", "+00:00")).timestamp()
    first = at if first is None else first
    card = (one["cards"] or [{}])[0]
    used, total = card.get("memory_used_bytes"), card.get("memory_total_bytes")
    percent = f"{100 * used / total:.0f} %" if used and total else "n/a"
    job = one["job"] or {}
    state = (one["outstanding"], one["waiting"])
    if state != before or int(at - first) % 20 == 0:
        print(f"{at - first:6.1f} s  out {one['outstanding']}  done {job.get('done')}  "
              f"memory {percent}  busy {card.get('busy_percent')}  {card.get('celsius')} C  "
              f"{card.get('watts')} W  energy {job.get('energy_joules')} J "
              f"estimate {job.get('energy_is_estimate')}  waiting: {one['waiting']}")
    before = state
