#!/usr/bin/env python3
"""Ten times the requests the daemon can serve, sent without waiting for replies: what it still
serves, and how fast it refuses the others."""
import argparse
import asyncio
import sys
import time

from service import Service, call, percentile, verdict

JOB_SECONDS = 0.03


async def one(port, body, out):
    try:
        reply = await call(port, "POST", "/sample", body)
    except OSError:
        out.append((0, 0.0, time.monotonic()))
        return
    out.append((reply.status, reply.seconds, time.monotonic()))


async def closed_loop(port, body, clients, seconds):
    """Replies a second when every client waits for its reply."""
    until = time.monotonic() + seconds
    out = []

    async def client():
        while time.monotonic() < until:
            await one(port, body, out)

    begin = time.monotonic()
    await asyncio.gather(*(client() for _ in range(clients)))
    return sum(status == 200 for status, _, _ in out) / (time.monotonic() - begin)


async def open_loop(port, body, rate, seconds):
    begin, sent, out, tasks = time.monotonic(), 0, [], set()
    while time.monotonic() - begin < seconds:
        while sent < (time.monotonic() - begin) * rate:
            task = asyncio.create_task(one(port, body, out))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            sent += 1
        await asyncio.sleep(0.002)
    served = sum(status == 200 for status, _, end in out if end - begin <= seconds)
    await asyncio.gather(*tasks)
    return sent, served / seconds, out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--workers", default="1")
    parser.add_argument("--strict", action="store_true", help="promises about time count too")
    args = parser.parse_args()
    with Service(args.build) as s:
        s.start("--store", "memory", "--workers", args.workers)
        body = f'{{"steps_per_level":{s.steps_for(JOB_SECONDS)},"response_format":"none"}}'
        cpu = [s.cpu_seconds()]
        peak = asyncio.run(closed_loop(s.port, body, 16, args.seconds / 2))
        cpu.append(s.cpu_seconds())
        sent, goodput, out = asyncio.run(open_loop(s.port, body, 10 * peak, args.seconds))
        cpu.append(s.cpu_seconds())
        rss = s.resident_mib()
        code, _ = s.stop()
    refused = [t for status, t, _ in out if status in (429, 503)]
    # what the generator and other processes take away from the daemon is not its fault
    per_cpu = [peak * args.seconds / 2 / (cpu[1] - cpu[0]),
               sum(status == 200 for status, _, _ in out) / (cpu[2] - cpu[1])]
    statuses = {}
    for status, _, _ in out:
        statuses[status] = statuses.get(status, 0) + 1
    figures = {"peak_per_s": round(peak, 1), "sent_per_s": round(sent / args.seconds, 1),
               "goodput_per_s": round(goodput, 1), "share": round(goodput / peak, 3),
               "share_per_cpu_second": round(per_cpu[1] / per_cpu[0], 3),
               "refusal_p50_ms": round(percentile(refused, 50) * 1e3, 2),
               "refusal_p99_ms": round(percentile(refused, 99) * 1e3, 2),
               "statuses": statuses, "rss_mib": round(rss, 1), "exit": code}
    broken, slow = [], []
    if per_cpu[1] < 0.9 * per_cpu[0]:
        slow.append("goodput below 90 % of the peak")
    if percentile(refused, 99) >= 0.05:
        slow.append("refusals take 50 ms and more")
    if set(statuses) - {200, 429, 503} or code != 0:
        broken.append("something else than 200, 429, 503, or a bad exit")
    return verdict(figures, broken, slow)


if __name__ == "__main__":
    sys.exit(main())
