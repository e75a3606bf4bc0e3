"""Turns the values of a run into the tables that people read.

Knows cases and columns; measures nothing.
"""
import statistics

GRADIENTS_PER_IMAGE = 180  # six levels of thirty steps
LAYER_PASSES = ("forward", "backward_data", "backward_weights")
# The instructions that a contender's convolutions could at best be made of.
CEILING_OF = {"avx512": ("avx512",), "avx2": ("avx2",), "blas": ("avx512", "avx2"),
              "ref": ("avx512", "avx2"), "amx": ("amx",), "avx512bf16": ("avx512_bf16",), "f32": ("avx512", "avx2"),
              "bf16": ("amx", "avx512_bf16", "avx512", "avx2")}


def spread(values, form="{:.3g}"):
    """"median [min max]"."""
    middle = statistics.median(values)
    if len(values) == 1:
        return form.format(middle)
    return "{} [{} {}]".format(*(form.format(v) for v in (middle, min(values), max(values))))


def ceiling_of(case, label):
    """GFLOP/s that the units could do for a contender in this case, or None."""
    kind = next((w for w in label.split()[1:] if w in CEILING_OF), None)
    for isa in CEILING_OF.get(kind, ()):
        values = case.values.get("ceiling " + isa)
        if values:
            return statistics.median(values)
    return None


def share(value, of):
    return f"{100 * value / of:.0f} %" if value and of else "-"


def align(rows):
    """Columns as wide as their widest entry; the first is text, the others numbers."""
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
        print("  " + "  ".join(cells).rstrip())


def best_of_each_torch(case):
    """The best variant of every PyTorch that took part."""
    best = {}
    for label in case.family("torch"):
        version = label.split()[1]
        if version not in best or case.median(label) < case.median(best[version]):
            best[version] = label
    return list(best.values())


def absent(cases):
    """Which contenders did not take part, and why; each once."""
    seen = {}
    for case in cases:
        for label, why in case.absent.items():
            seen.setdefault((label, why), None)
    for label, why in seen:
        print(f"  absent: {label} ({why})")


def gradient_rows(case):
    rows = [["", "ms per gradient", "images/s", "GFLOP/s", "of ceiling", "PyTorch's best / this"]]
    mflop = next((r["gradient_mflop"] for r in case.replies.values() if "gradient_mflop" in r), None)
    torch_best = case.best("torch")
    for label in case.family("ebm") + best_of_each_torch(case) + case.family("onednn"):
        ms = case.median(label)
        rate = mflop / ms if mflop else None
        used = case.replies[label].get("threads", case.words["threads"])
        note = "" if used == case.words["threads"] else f" ({used} thread)"
        rows.append([label + note, spread(case.values[label]),
                     f"{1000 / (ms * GRADIENTS_PER_IMAGE):.3g}" if "onednn" not in label else "-",
                     f"{rate:.0f}" if rate else "-", share(rate, ceiling_of(case, label)),
                     f"{case.median(torch_best) / ms:.2f}" if torch_best else "-"])
    return rows


def gradient(cases):
    print("\nGradients: forward and input gradient, milliseconds per image, median [min max] over "
          "the rounds;\nimages/s at six levels of thirty steps. onednn: the convolutions alone.")
    for case in cases:
        ceilings = ", ".join(f"{l.split()[1]} {case.median(l):.0f}" for l in case.family("ceiling"))
        size = next((r["session_bytes"] for r in case.replies.values() if "session_bytes" in r), 0)
        print(f"\n{case.network}, batch {case.words['batch']}, threads {case.words['threads']}"
              f" (ceiling in GFLOP/s: {ceilings or 'not measured'}; session {size / 1024:.0f} KiB)")
        align(gradient_rows(case))
    absent(cases)


def ratio(case, theirs, ours):
    """How much faster ours is, or "-"."""
    return f"{case.median(theirs) / case.median(ours):.2f}" if theirs and ours else "-"


def verdict_row(case, versions):
    ours = case.best("ebm")
    peers = [case.best("torch"), case.best("torch", "f32")]
    peers += [case.best("torch", "torch " + v + " ") for v in versions]
    peers += [case.best("onednn", "bf16"), case.best("onednn", "f32")]
    name = f"{case.network}, batch {case.words['batch']}, threads {case.words['threads']}"
    cells = [f"{case.median(ours):.3g}" if ours else "-", (ours or "-").split()[-1]]
    return [name] + cells + [ratio(case, p, ours) for p in peers]


def verdict(cases):
    print("\nHow many times faster than ... (medians; above 1 ours is faster)")
    versions = sorted({l.split()[1] for c in cases for l in c.family("torch")})
    heads = ["", "ours, ms", "set", "best torch", "torch f32"]
    heads += [f"torch {v.split('+')[0]}" for v in versions] + ["onednn bf16", "onednn f32"]
    align([heads] + [verdict_row(c, versions) for c in cases])


def best_batch(cases):
    """Every contender may choose how many images it takes at once."""
    groups = {}
    for case in cases:
        groups.setdefault((case.network, case.words["threads"]), []).append(case)
    rows = [["", "ours, ms", "set, batch", "PyTorch, ms", "variant, batch", "times faster"]]
    for (network, threads), group in groups.items():
        found = []
        for family in ("ebm", "torch"):
            ends = [(c.median(c.best(family)), c.best(family), c.words["batch"])
                    for c in group if c.best(family)]
            found.append(min(ends, default=None))
        if None in found:
            continue
        (ours, set_, batch), (theirs, variant, their_batch) = found
        rows.append([f"{network}, threads {threads}", f"{ours:.3g}", f"{set_.split()[-1]}, {batch}",
                     f"{theirs:.3g}", f"{variant.split(' ', 1)[1]}, {their_batch}",
                     f"{theirs / ours:.2f}"])
    if len(rows) > 1:
        print("\nEach at its best batch, milliseconds per image")
        align(rows)


def scaling(cases):
    """Throughput of two threads over that of one, where a batch can keep both busy."""
    keyed = {(c.network, c.words["batch"], c.words["threads"]): c for c in cases}
    rows = [["", "contender", "one thread, ms", "two threads, ms", "gain"]]
    for (network, batch, threads), two in keyed.items():
        one = keyed.get((network, batch, 1))
        if threads != 2 or batch < 2 or not one:
            continue
        for family in ("ebm", "torch"):
            a, b = one.best(family), two.best(family)
            if a and b:
                gain = f"{one.median(a) / two.median(b):.2f}"
                rows.append([f"{network}, batch {batch}" if family == "ebm" else "", family,
                             spread(one.values[a]), spread(two.values[b]), gain])
    if len(rows) > 1:
        print("\nTwo threads against one, best set or variant of each")
        align(rows)


def layer_rows(case):
    """Per shape and contender: GFLOP/s and share of the ceiling for each pass."""
    labels = case.family("ebm") + case.family("onednn")
    rows = [["in > out, size, times", "contender"] + [p.replace("_", " ") for p in LAYER_PASSES]]
    shapes = case.replies[labels[0]]["layers"] if labels else []
    for i, s in enumerate(shapes):
        for label in labels:
            cells = []
            for p in LAYER_PASSES:
                found = [v[i][p + "_gflops"] for v in case.values[label] if p + "_gflops" in v[i]]
                rate = statistics.median(found) if found else None
                cells.append(f"{rate:.0f} ({share(rate, ceiling_of(case, label))})" if rate else "-")
            name = f"{s['c_in']} > {s['c_out']}, {s['h']}, x{s['count']}"
            rows.append([name if label == labels[0] else "", label] + cells)
    return rows


def layers(cases):
    print("\nConvolutions alone, one image, one thread, data in the cache: GFLOP/s and share of the "
          "ceiling.\nProducts with the zero padding count: a library that skips them can pass 100 %.")
    for case in cases:
        print(f"\n{case.network}")
        align(layer_rows(case))
    absent(cases)


def train(cases):
    print("\nTraining by recovery likelihood: iterations per second, milliseconds per iteration.")
    for case in cases:
        print(f"\n{case.network}, batch {case.words['batch']}, K {case.words['steps']}, "
              f"threads {case.words['threads']}")
        rows = [["", "iterations/s", "ms per iteration", "PyTorch's best / this"]]
        torch_best = case.best("torch")
        for label in case.family("ebm") + best_of_each_torch(case):
            ms = case.median(label)
            rows.append([label, f"{1000 / ms:.3g}", spread(case.values[label]),
                         f"{case.median(torch_best) / ms:.2f}" if torch_best else "-"])
        align(rows)
    absent(cases)


CURVES = {"n": ("batch", "images at once (ms per gradient and image)"),
          "size": ("network", "image size, batch 4 (ms per gradient and image)"),
          "levels": ("levels", "noise levels of 30 steps (ms per image, noise and updates included)")}


def curve(name, cases):
    word, title = CURVES[name]
    print(f"\nCost by {title}")
    rows = [["", "ebm's best set", "ms", "PyTorch's best", "ms"]]
    for case in cases:
        ours, theirs = case.best("ebm"), case.best("torch")
        at = str(case.words.get(word, case.network))
        if name == "size":
            at = next(f.split("=")[1] for f in case.spec.split(",") if f.startswith("size="))
        rows.append([at, ours or "-", spread(case.values[ours]) if ours else "-",
                     theirs or "-", spread(case.values[theirs]) if theirs else "-"])
    align(rows)


def daemon(starts, what):
    print("\nThe daemon with one model: " + what)
    if not starts:
        print("  absent: it did not become ready")
        return
    rows = [["kernels", "exec to ready, ms", "resident, MiB"]]
    rows += [[kernels, spread([s[0] for s in of], "{:.1f}"), spread([s[1] for s in of], "{:.1f}")]
             for kernels, of in starts.items()]
    align(rows)
