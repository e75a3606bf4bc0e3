#!/usr/bin/env python3
"""Figures of a model of gray images: inpainting against simple fillings, and foreign images told apart.

    tools/figures.py --ebm build/release/bin/ebm --model models/fashion-mnist \\
        --data /usr/share/datasets/fashion-mnist --classifier runs/classifier --out runs/figures

Everything a model does is done by `ebm`; this program prepares sets of images, runs it, and adds up. Prints a
table, writes figures.json beside the sets. What the numbers mean: docs/evaluation.md. Needs NumPy, and the
digits of Debian's python3-sklearn, of which only the data file is read.
"""
import argparse
import concurrent.futures
import csv
import gzip
import json
import math
import os
import shutil
import struct
import subprocess
import sys
import zlib

import numpy as np

MASK = os.path.join(os.path.dirname(__file__), "..", "docs", "pictures", "lower-half.png")
DIGITS = "/usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz"
SCORE = "the score of ebm energy, calibrated on held-out test images: log odds against spoiled copies of them"


# --- files -----------------------------------------------------------------------------------

def read_idx(directory, name):
    """Images [n,H,W] of a file in IDX format, packed or not."""
    path = os.path.join(directory, name)
    with gzip.open(path + ".gz") if os.path.exists(path + ".gz") else open(path, "rb") as file:
        data = file.read()
    if data[:4] != b"\0\0\x08\x03":
        sys.exit(f"{path}: not gray images in IDX format")
    return np.frombuffer(data, np.uint8, offset=16).reshape(struct.unpack(">III", data[4:16]))


def write_png(path, image):
    """A gray image as `ebm` reads it."""
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    height, width = image.shape
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) +
                   chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def unfilter(kind, row, above):
    """One row of a PNG with a byte a pixel (PNG specification, 9.2)."""
    out = bytearray(row)
    for i, value in enumerate(row):
        a, b, c = (out[i - 1] if i else 0), above[i], (above[i - 1] if i else 0)
        p = a + b - c
        paeth = min((a, b, c), key=lambda v: abs(p - v))
        out[i] = (value + (0, a, b, (a + b) // 2, paeth)[kind]) & 255
    return out


def read_png(path):
    """A gray image that `ebm` wrote."""
    with open(path, "rb") as file:
        data = file.read()
    packed, at = b"", 8
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
        packed += body if kind == b"IDAT" else b""
        at += 12 + size
    if (depth, colour) != (8, 0):
        sys.exit(f"{path}: not a gray image of 8 bits")
    raw, image, above = zlib.decompress(packed), [], bytes(width)
    for y in range(height):
        start = y * (width + 1)
        above = unfilter(raw[start], raw[start + 1:start + 1 + width], above)
        image.append(list(above))
    return np.array(image, np.uint8)


# --- what `ebm` is asked -----------------------------------------------------------------------

class Command:
    """`ebm` with what all calls have in common."""

    def __init__(self, args):
        self.args = args
        self.models, self.model = os.path.split(os.path.abspath(args.model))

    def run(self, *words):
        words = [self.args.ebm, *map(str, words)]
        words += ["--kernels", self.args.kernels] if self.args.kernels else []
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(words)}\n{done.stderr.strip()}")
        return done.stdout

    def inpaint(self, source, first, count, out):
        self.run("inpaint", "--models", self.models, "--model", self.model, "--image", source, "--mask", MASK,
                 "--seed", self.args.seed, "--first-index", first, "--n", count, "--threads", 1, "--out", out)

    def calibrated_copy(self, images):
        """This command for a copy of the model that is calibrated on other images, and what `ebm` says of it."""
        copy, path = Command(self.args), os.path.join(self.args.out, "calibration.npy")
        copy.models = os.path.join(os.path.abspath(self.args.out), "models")
        shutil.copytree(os.path.join(self.models, self.model), os.path.join(copy.models, self.model),
                        dirs_exist_ok=True)
        np.save(path, images)
        text = self.run("energy", "--models", copy.models, "--model", self.model, "--calibrate", path, "--limit",
                        len(images), "--seed", self.args.seed, "--threads", self.args.threads)
        return copy, [json.loads(line) for line in text.splitlines()[1:]]

    def scores(self, name, images):
        """Of each image, and log densities at the lowest level. @shape [n], [n]"""
        path = os.path.join(self.args.out, name + ".npy")
        np.save(path, images)
        text = self.run("energy", "--models", self.models, "--model", self.model, "--images", path,
                        "--seed", self.args.seed, "--threads", self.args.threads)
        rows = [json.loads(line) for line in text.splitlines()[1:]]
        return np.array([row["score"] for row in rows]), -np.array([row["energy"] for row in rows])

    def frechet(self, name, images):
        """Distance to all test images in the classifier's features: value, standard error, without bias."""
        path, report = (os.path.join(self.args.out, name + end) for end in (".npy", ".json"))
        np.save(path, images)
        self.run("eval", "--samples", path, "--data", self.args.data, "--classifier", self.args.classifier,
                 "--distance-only", "--threads", self.args.threads, "--json", report)
        with open(report, encoding="utf-8") as file:
            text = json.load(file)
        samples = text["rulers"][0]["samples"]
        return samples["frechet"], samples["frechet_unbiased"], text["classifier"]


# --- inpainting --------------------------------------------------------------------------------

def complete(ebm, images):
    """The model's own completions of the lower half of each image. @shape [n,completions,H,W]"""
    done = os.path.join(ebm.args.out, "completed")
    masked = os.path.join(ebm.args.out, "masked")
    for folder in (done, masked):
        os.makedirs(folder, exist_ok=True)

    def one(index):
        source = os.path.join(masked, f"{index:06}.png")
        # the half to be repainted is not shown to the model at all
        write_png(source, lower(images[index], np.zeros_like(images[index])))
        numbers = range(index * ebm.args.completions, (index + 1) * ebm.args.completions)
        ebm.inpaint(source, numbers[0], len(numbers), done)
        return np.stack([read_png(os.path.join(done, f"{number:06}.png")) for number in numbers])

    with concurrent.futures.ThreadPoolExecutor(ebm.args.threads) as pool:
        return np.stack(list(pool.map(one, range(len(images)))))


def half(image):
    """The first row that is repainted: that of docs/pictures/lower-half.png."""
    return image.shape[-2] // 2


def lower(image, filling):
    """The image with the lower half of another."""
    out = image.copy()
    out[..., half(image):, :] = filling[..., half(image):, :]
    return out


def neighbours_mean(images, train, count):
    """Fills with the mean of those training images whose upper halves are nearest."""
    top = half(images)
    known = train[:, :top].reshape(len(train), -1).astype(np.float32)
    squares = (known ** 2).sum(1)
    out = []
    for image in images:
        query = image[:top].ravel().astype(np.float32)
        nearest = np.argpartition(squares - 2 * known @ query, count)[:count]
        out.append(lower(image, np.rint(train[nearest].mean(0)).astype(np.uint8)))
    return np.stack(out)


def mean_of(values):
    """Mean over images, with its standard error."""
    return {"value": values.mean(), "se": values.std(ddof=1) / math.sqrt(len(values))}


def pixel_error(images, filled):
    """Of the repainted pixels, in gray levels: mean absolute difference, root mean square with its standard
    error over images, and the squares of each image."""
    top = half(images)
    off = images[:, top:].astype(float) - filled[:, top:]
    squares = (off ** 2).mean((1, 2))
    mean = mean_of(squares)
    root = math.sqrt(mean["value"])
    return (mean_of(np.abs(off).mean((1, 2))),
            {"value": root, "se": mean["se"] / (2 * root) if root > 0 else 0.0}, squares)


def measure_inpainting(ebm, train, test):
    images = test[:ebm.args.images]
    mean = np.rint(train.mean(0)).astype(np.uint8)
    drawn = complete(ebm, images)
    ways = {
        "model": drawn[:, 0],
        f"model, mean of {ebm.args.completions}": np.rint(drawn.mean(1)).astype(np.uint8),
        "training mean": np.stack([lower(image, mean) for image in images]),
        f"mean of {ebm.args.neighbours} neighbours": neighbours_mean(images, train, ebm.args.neighbours),
        "test images themselves": images,
    }
    rows, squares = [], {}
    for number, (name, filled) in enumerate(ways.items()):
        if (filled[:, :half(images)] != images[:, :half(images)]).any():
            sys.exit(f"{name}: known pixels have changed")
        absolute, root, squares[name] = pixel_error(images, filled)
        plain, unbiased, classifier = ebm.frechet(f"filling-{number}", filled)
        rows.append({"filling": name, "n": len(images), "absolute": absolute, "rms": root,
                     "frechet": plain, "frechet_unbiased": unbiased})
    for row in rows:
        row["mean_square_below_training_mean"] = mean_of(squares["training mean"] - squares[row["filling"]])
    return {"rows": rows, "classifier": classifier}


# --- foreign images ----------------------------------------------------------------------------

def noise_like(images, rng):
    """Independent pixels with each image's own mean and variance: a Beta law has them exactly, within the
    range of bytes, where a clipped Gaussian has not."""
    out = np.empty_like(images)
    for index, image in enumerate(images):
        mean, variance = image.mean() / 255, image.var() / 255 ** 2
        if variance == 0:
            out[index] = image
            continue
        size = mean * (1 - mean) / variance - 1
        out[index] = np.rint(255 * rng.beta(mean * size, (1 - mean) * size, image.shape))
    return out


def resize_axis(values, axis, size):
    """Bilinear between pixel centres."""
    count = values.shape[axis]
    at = np.clip((np.arange(size) + 0.5) * count / size - 0.5, 0, count - 1)
    left = np.minimum(at.astype(int), count - 2)
    weight = (at - left).reshape([-1 if i == axis else 1 for i in range(values.ndim)])
    return np.take(values, left, axis) * (1 - weight) + np.take(values, left + 1, axis) * weight


def digits(count, shape):
    """Scikit-learn's handwritten digits, 8x8 in 17 shades, light on dark, scaled up."""
    with gzip.open(DIGITS, "rt") as file:
        rows = [[float(v) for v in row[:64]] for row in csv.reader(file)]
    small = np.array(rows[:count]).reshape(-1, 8, 8) * 255 / 16
    return np.rint(resize_axis(resize_axis(small, 1, shape[0]), 2, shape[1])).astype(np.uint8)


def auroc(positive, negative):
    """Chance that a positive scores higher, ties half, with DeLong's standard error (1988)."""
    def placements(x, y):
        y = np.sort(y)
        return (np.searchsorted(y, x, "left") + np.searchsorted(y, x, "right")) / (2 * len(y))
    above, below = placements(positive, negative), 1 - placements(negative, positive)
    error = math.sqrt(above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below))
    return {"value": float(above.mean()), "se": error}


def measure_foreign(ebm, test):
    args = ebm.args
    images, held_out = test[:args.images], test[-args.calibrate:]
    if args.images + args.calibrate > len(test):
        sys.exit(f"--images and --calibrate: together at most {len(test)}")
    sets = {"vertical flips": images[:, ::-1],
            "pixel noise": noise_like(images, np.random.default_rng(args.seed)),
            "digits": digits(args.images, images.shape[1:])}
    ebm, unseen = ebm.calibrated_copy(held_out)
    own = ebm.scores("test", images)
    rows = []
    for name, foreign in sets.items():
        scores = ebm.scores(name.replace(" ", "-"), np.ascontiguousarray(foreign))
        rows.append({"set": name, "n": len(images), "n_foreign": len(foreign), "auroc": auroc(own[0], scores[0]),
                     "auroc_of_lowest_level": auroc(own[1], scores[1])})
    return {"score": SCORE, "positive": "test images", "calibrated_on": len(held_out), "unseen_kinds": unseen,
            "rows": rows}


# --- the program ---------------------------------------------------------------------------------

def number(value):
    return f"{value['value']:9.4g} +- {value['se']:<7.2g}"


def print_inpainting(figures):
    titles = ["pixel error, mean", "pixel error, rms", "Frechet", "Frechet, unbiased",
              "squared error below the training mean's"]
    keys = ["absolute", "rms", "frechet", "frechet_unbiased", "mean_square_below_training_mean"]
    print(f"{'lower half filled with':<26} {'n':>6}  " + "  ".join(f"{title:<20}" for title in titles))
    for row in figures["rows"]:
        print(f"{row['filling']:<26} {row['n']:>6} " + " ".join(number(row[key]) for key in keys))


def print_foreign(figures):
    print(f"\n{'test images against':<26} {'n':>6}  {'AUROC':<20}  of the log density at the lowest level, for comparison")
    for row in figures["rows"]:
        print(f"{row['set']:<26} {row['n_foreign']:>6} {number(row['auroc'])} {number(row['auroc_of_lowest_level'])}")
    print(f"score: {figures['score']}")
    for row in figures["unseen_kinds"]:
        print(f"    {row['unseen_kind']:<24} {row['copies']:>6} {row['auroc']:9.4g}   of copies of a kind it has not seen")


def parse():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--ebm", default="build/release/bin/ebm")
    p.add_argument("--model", default="models/fashion-mnist", help="directory")
    p.add_argument("--data", default="/usr/share/datasets/fashion-mnist", help="directory of IDX files")
    p.add_argument("--classifier", default="runs/classifier", help="of `ebm train-classifier`")
    p.add_argument("--only", choices=["inpainting", "foreign"], help="leave out the other part")
    p.add_argument("--out", default="runs/figures", help="directory for sets, completions and figures.json")
    p.add_argument("--images", type=int, default=500, help="test images, the first ones; at least 8")
    p.add_argument("--completions", type=int, default=4, help="of each image, at most 64")
    p.add_argument("--calibrate", type=int, default=1000, help="held-out test images, the last ones")
    p.add_argument("--neighbours", type=int, default=10)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--kernels", default="", help="kernel set of all calls")
    args = p.parse_args()
    if args.images < 8 or args.calibrate < 100 or not 1 <= args.completions <= 64:
        p.error("--images takes 8 or more, --calibrate 100 or more, --completions 1 to 64")
    if args.neighbours < 1 or args.seed < 0 or args.threads < 1:
        p.error("--neighbours and --threads take 1 or more, --seed no negative number")
    return args


def main():
    args = parse()
    os.makedirs(args.out, exist_ok=True)
    ebm = Command(args)
    train, test = (read_idx(args.data, f"{part}-images-idx3-ubyte") for part in ("train", "t10k"))
    with open(os.path.join(args.model, "model.json"), encoding="utf-8") as file:
        weights = json.load(file)["weights"]["sha256"]
    figures = {"model": args.model, "weights_sha256": weights, "seed": args.seed, "kernels": args.kernels or None}
    if args.only != "foreign":
        figures["inpainting"] = measure_inpainting(ebm, train, test)
    if args.only != "inpainting":
        figures["out_of_distribution"] = measure_foreign(ebm, test)
    path = os.path.join(args.out, "figures.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(figures, file, indent=2)
        file.write("\n")
    if "inpainting" in figures:
        print_inpainting(figures["inpainting"])
    if "out_of_distribution" in figures:
        print_foreign(figures["out_of_distribution"])
    print(f"written: {path}")


if __name__ == "__main__":
    main()
