#!/usr/bin/env python3
"""SIGTERM at random moments under load, again and again on one job store: the daemon ends with 0,
every request that was on its way gets its reply, and no accepted job is lost."""
import argparse
import asyncio
import random
import signal
import sys
import time

from service import Service, call, verdict

LIMIT_SECONDS = 25
CLIENTS = 12


class Load:
    def __init__(self, port, steps, rng):
        self.port, self.steps, self.rng = port, steps, rng
        self.accepted, self.statuses = [], {}
        self.lost_before = self.lost_after = 0
        self.signalled = float("inf")

    def draw(self):
        later = self.rng.random() < 0.3
        n = self.rng.choice((1, 1, 1, 2, 4))
        steps = self.rng.choice((1, self.steps, self.steps * (20 if later else 1)))
        body = f'{{"n":{n},"seed":{self.rng.randrange(1000)},"steps_per_level":{min(steps, 2000)}}}'
        return body, ["Prefer: respond-async"] if later else []

    async def client(self):
        while True:
            body, headers = self.draw()
            begin = time.monotonic()
            try:
                reply = await call(self.port, "POST", "/sample", body, headers)
            except OSError:
                return  # nobody listens any more
            self.statuses[reply.status] = self.statuses.get(reply.status, 0) + 1
            if reply.status == 202:
                self.accepted.append(reply.headers["x-job-id"])
            if reply.status == 0 and begin < self.signalled:
                self.lost_before += 1
            elif reply.status == 0:
                self.lost_after += 1
            await asyncio.sleep(self.rng.random() * 0.02)


async def cycle(service, load):
    clients = [asyncio.create_task(load.client()) for _ in range(CLIENTS)]
    await asyncio.sleep(load.rng.random() * 0.6)
    load.signalled = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    code = await asyncio.to_thread(service.process.wait, 2 * LIMIT_SECONDS)
    seconds = time.monotonic() - load.signalled
    await asyncio.gather(*clients)
    return code, seconds


def count_unfinished(service, ids, until):
    """Of the accepted jobs, those that do not succeed in time."""
    open_ids = set(ids)
    while open_ids and time.monotonic() < until:
        for job in list(open_ids):
            reply = asyncio.run(call(service.port, "GET", f"/v1/jobs/{job}"))
            if reply.status == 200 and reply.json()["status"] == "succeeded":
                open_ids.discard(job)
    return len(open_ids)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--drains", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    flags = ("--workers", "2", "--queue", "100000", "--queue-work", "999999999",
             "--drain-seconds", "15")
    codes, slowest, statuses, accepted = {}, 0.0, {}, []
    lost_before = lost_after = 0
    with Service(args.build) as s:
        flags += ("--store", f"sqlite:{s.store}")
        s.start(*flags)
        steps = s.steps_for(0.02)
        s.stop()
        for _ in range(args.drains):
            s.start(*flags)
            load = Load(s.port, steps, rng)
            code, seconds = asyncio.run(cycle(s, load))
            s.process = None
            codes[code] = codes.get(code, 0) + 1
            slowest = max(slowest, seconds)
            lost_before += load.lost_before
            lost_after += load.lost_after
            accepted += load.accepted
            for status, n in load.statuses.items():
                statuses[status] = statuses.get(status, 0) + n
        s.start(*flags)
        unfinished = count_unfinished(s, accepted, time.monotonic() + 120 + args.drains)
        s.stop()
    figures = {"drains": args.drains, "exits": codes, "slowest_s": round(slowest, 2),
               "statuses": statuses, "lost_in_flight": lost_before,
               "reset_after_signal": lost_after, "accepted_later": len(accepted),
               "lost_jobs": unfinished}
    broken = []
    if set(codes) != {0} or slowest > LIMIT_SECONDS:
        broken.append("an exit was not 0 or not in time")
    if lost_before > 0:
        broken.append("a request that was on its way got no reply")
    if unfinished > 0:
        broken.append("accepted jobs were lost")
    if set(statuses) - {0, 200, 202, 503}:
        broken.append("an unexpected status")
    return verdict(figures, broken)


if __name__ == "__main__":
    sys.exit(main())
