#!/usr/bin/env python3
"""One small request at a time while 64 long chains run: how long it waits for its first turn."""
import argparse
import asyncio
import sys
import time

from service import Service, call, percentile, verdict

QUANTUM_MS = 50


async def measure(port, count):
    waits, totals = [], []
    for i in range(count):
        reply = await call(port, "POST", "/sample", f'{{"seed":{i},"steps_per_level":1}}')
        waits.append(reply.json()["timings"]["queue_ms"])
        totals.append(reply.seconds * 1e3)
        await asyncio.sleep(0.037)
    return waits, totals


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--requests", type=int, default=30)
    parser.add_argument("--strict", action="store_true", help="promises about time count too")
    args = parser.parse_args()
    with Service(args.build) as s:
        s.start("--store", "memory", "--queue-work", "999999999")
        steps = s.steps_for(1.5)  # 64 of them outlast the measurement
        job = asyncio.run(call(s.port, "POST", "/sample",
                               f'{{"n":64,"steps_per_level":{steps},"timeout_s":600}}',
                               ["Prefer: respond-async"])).json()
        time.sleep(0.3)
        waits, totals = asyncio.run(measure(s.port, args.requests))
        still = asyncio.run(call(s.port, "GET", f"/v1/jobs/{job['id']}")).json()["status"]
        asyncio.run(call(s.port, "POST", f"/v1/jobs/{job['id']}/cancel"))
    figures = {"requests": args.requests, "wait_p50_ms": percentile(waits, 50),
               "wait_p99_ms": percentile(waits, 99), "wait_max_ms": max(waits),
               "reply_max_ms": round(max(totals), 1), "long_job": still}
    broken, slow = [], []
    if max(waits) >= 3 * QUANTUM_MS:
        slow.append("a small request waited for three quanta")
    if still != "running":
        broken.append("the long job was not there all the time")
    return verdict(figures, broken, slow)


if __name__ == "__main__":
    sys.exit(main())
