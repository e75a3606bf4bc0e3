#!/usr/bin/env python3
"""kill -9 with a full queue, again and again on one job store: the daemon is ready again soon, and all
accepted jobs are still there."""
import argparse
import asyncio
import time

from service import Service, call, verdict

LIMIT_SECONDS = 2
TOGETHER = 32
BODY = '{"steps_per_level":900}'


async def fill(port, count):
    """Accepted jobs; the requests go out a few at a time."""
    accepted, left = [], iter(range(count))

    async def client():
        for _ in left:
            reply = await call(port, "POST", "/sample", BODY, ["Prefer: respond-async"])
            if reply.status == 202:
                accepted.append(reply.headers["x-job-id"])

    await asyncio.gather(*(client() for _ in range(TOGETHER)))
    return accepted


async def count_missing(port, ids):
    missing, left = [], iter(ids)

    async def client():
        for job in left:
            reply = await call(port, "GET", f"/v1/jobs/{job}")
            if reply.status != 200:
                missing.append(job)

    await asyncio.gather(*(client() for _ in range(TOGETHER)))
    return len(missing)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--strict", action="store_true")
    args = parser.parse_args()
    with Service(args.build) as s:
        flags = ("--workers", "2", "--queue", "100000", "--jobs-per-key", "100000", "--queue-work",
                 "999999999", "--request-work", "999999999", "--store", f"sqlite:{s.store}")
        s.start(*flags)
        ids = asyncio.run(fill(s.port, args.jobs))
        seconds = []
        for _ in range(args.restarts):
            s.process.kill()
            s.process.wait()
            begin = time.monotonic()
            s.start(*flags)
            seconds.append(time.monotonic() - begin)
        missing = asyncio.run(count_missing(s.port, ids))
    figures = {"jobs": len(ids), "ready_s": [round(v, 3) for v in seconds], "missing": missing}
    broken = [f"{missing} of {len(ids)} accepted jobs are missing"] if missing else []
    if len(ids) < args.jobs:
        broken.append(f"only {len(ids)} of {args.jobs} jobs were accepted")
    slow = [f"ready after {max(seconds):.1f} s"] if max(seconds) >= LIMIT_SECONDS else []
    return verdict(figures, broken, slow)


if __name__ == "__main__":
    raise SystemExit(main())
