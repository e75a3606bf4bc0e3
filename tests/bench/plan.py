"""What is measured: networks, cases, and the variants of each contender that take part.

A case is one question (a network, batch and threads); a variant is one contender's way to answer
it. Knows names and words of the protocol; measures nothing.
"""
import statistics

# Name in the tables -> words of --network. The four of the speed requirement, and the network of the
# model that ships.
NETWORKS = {
    "gray28-ch32": "ch=32,mult=1:2:2,blocks=2,size=28,channels=1",
    "gray28-unet": "ch=32,mult=1:2:4,blocks=1,size=28,channels=1,unet,silu",
    "gray28-ch64": "ch=64,mult=1:2:2,blocks=2,size=28,channels=1",
    "rgb32-ch64": "ch=64,mult=1:2:2:2,blocks=2,size=32,channels=3",
    "rgb32-ch128": "ch=128,mult=1:2:2:2,blocks=2,size=32,channels=3",
}
SETS = ("amx", "avx512bf16", "avx512", "avx2", "blas", "ref")  # best first; those that a CPU lacks drop out
ISAS = ("amx", "avx512_bf16", "avx512", "avx2")
FAMILIES = ("ebm", "torch", "onednn", "ceiling")
SECTIONS = ("gradient", "layers", "train", "curves", "daemon")

# In the first round every variant of a peer runs; after it those this much slower than the best of
# their family in the same case have no chance to be the median's best and are not run again.
HOPELESS = 2.0


class Variant:
    """One contender in one configuration."""

    def __init__(self, contender, family, label, words):
        self.contender, self.family, self.label, self.words = contender, family, label, words


class Case:
    """One question and the values that came back, in the unit of `field`."""

    def __init__(self, section, network, words, field, variants):
        self.section, self.network, self.field, self.variants = section, network, field, variants
        self.words = dict(words)
        self.spec = NETWORKS.get(network, network)
        self.values = {v.label: [] for v in variants}
        self.replies = {}  # label -> last whole reply
        self.absent = {}  # label -> why
        self.retired = set()

    def family(self, name):
        return [v.label for v in self.variants if v.family == name and self.values[v.label]]

    def median(self, label):
        return statistics.median(self.values[label])

    def best(self, family, word=""):
        """Label of the smallest median in a family (of those whose label has the word), or None."""
        labels = [l for l in self.family(family) if word in l]
        return min(labels, key=self.median, default=None)

    def retire(self):
        """Called after the first round; see HOPELESS."""
        for family, word in (("torch", ""), ("onednn", "f32"), ("onednn", "bf16")):
            best = self.best(family, word)
            if best:
                self.retired.update(l for l in self.family(family) if word in l and
                                    self.median(l) > HOPELESS * self.median(best) and
                                    not self.last_of_its_kind(l))

    def last_of_its_kind(self, label):
        """True for the best float32 variant and the best of each PyTorch: tables ask for them."""
        kinds = ["f32"] + [" ".join(label.split()[:2])]
        return any(label == self.best("torch", kind) for kind in kinds)


class Planner:
    """Makes the cases of a run from what is there and what is asked for."""

    def __init__(self, contenders, quick, threads):
        self.contenders, self.quick, self.threads = contenders, quick, threads
        self.networks = list(NETWORKS)[:1] if quick else list(NETWORKS)

    def named(self, family):
        return [(n, c) for n, c in self.contenders.items() if n.split()[0] == family]

    def ebm(self, sets):
        return [Variant(c, "ebm", f"ebm {s}", {"kernels": s})
                for _, c in self.named("ebm") for s in sets]

    def torch(self, compiled=True):
        out = []
        for name, c in self.named("torch"):
            for dtype in ("f32", "bf16"):
                ways = [("nchw", "eager"), ("nhwc", "eager")]
                # one layout is enough: compiled, channels-last was the faster one throughout
                if compiled and not self.quick and c.facts.get("compile"):
                    ways.append(("nhwc", "compile"))
                out += [Variant(c, "torch", f"{name} {dtype} {layout} {mode}",
                                {"dtype": dtype, "layout": layout, "mode": mode})
                        for layout, mode in ways]
        return out

    def onednn(self, formats=("any", "plain")):
        return [Variant(c, "onednn", f"onednn {d} {f}", {"dtype": d, "format": f})
                for _, c in self.named("onednn") for d in ("f32", "bf16") for f in formats]

    def ceiling(self):
        return [Variant(c, "ceiling", f"ceiling {i}", {"isa": i})
                for _, c in self.named("ceiling") for i in ISAS]

    def gradient(self):
        """ref runs where it takes milliseconds, not minutes; it is the truth, not a contender."""
        cases = []
        for network in self.networks:
            for batch in (1, 16) if self.quick else (1, 16, 64):
                for threads in self.threads:
                    small = network.startswith("gray") and batch == 1 and threads == 1
                    sets = SETS if small else SETS[:-1]
                    words = {"batch": batch, "threads": threads}
                    cases.append(Case("gradient", network, words, "gradient_ms_per_image",
                                      self.ceiling() + self.ebm(sets) + self.torch() +
                                      self.onednn()))
        return cases

    def layers(self):
        networks = self.networks[:1] if self.quick else ["gray28-ch64", "rgb32-ch128"]
        return [Case("layers", n, {"layers": True}, None,
                     self.ceiling() + self.ebm(SETS[:-1]) + self.onednn(("any",)))
                for n in networks]

    def train(self):
        size = {"batch": 4, "steps": 3} if self.quick else {"batch": 16, "steps": 30}
        return [Case("train", n, {"train": True, "threads": self.threads[-1], **size},
                     "train_ms_per_iteration",
                     self.ebm(SETS[:-1]) + self.torch())
                for n in self.networks[:1 if self.quick else 2]]

    def curves(self):
        """Batch and image size for gradients, levels for whole samples."""
        base, threads = "gray28-ch32", self.threads[-1]
        sizes = (28, 64) if self.quick else (28, 32, 64, 128)
        peers = self.ebm(SETS[:4]) + self.torch(compiled=False)
        cases = [Case("n", base, {"batch": n, "threads": threads}, "gradient_ms_per_image", peers)
                 for n in ((1, 4) if self.quick else (1, 2, 4, 16, 64))]
        cases += [Case("size", f"ch=32,mult=1:2:2,blocks=2,size={s},channels=1",
                       {"batch": 4, "threads": threads}, "gradient_ms_per_image", peers)
                  for s in sizes]
        cases += [Case("levels", base, {"sample": True, "batch": threads, "threads": threads,
                                        "levels": t, "steps": 30}, "sample_ms_per_image",
                       self.ebm(SETS[:4]))
                  for t in ((2, 4) if self.quick else (2, 4, 6, 10))]
        return cases
