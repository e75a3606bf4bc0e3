#!/usr/bin/env python3
"""Known answers for the arithmetic of tools/figures.py: test_figures.py TOOLS. Runs no model."""
import argparse
import os
import sys
import tempfile
import unittest
import unittest.mock

try:
    import numpy as np
except ImportError:
    print("NumPy is not installed: left out")
    sys.exit(77)

sys.path.insert(0, sys.argv.pop(1))
sys.dont_write_bytecode = True
import figures  # noqa: E402  pylint: disable=wrong-import-position

RNG = np.random.default_rng(5)


def noisy(*shape):
    return RNG.integers(0, 256, shape, dtype=np.uint8)


class Png(unittest.TestCase):
    def test_there_and_back(self):
        image = noisy(5, 7)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.png")
            figures.write_png(path, image)
            self.assertTrue((figures.read_png(path) == image).all())

    def test_filters(self):
        """Rows filtered by the specification's definition come back."""
        row, above = noisy(2, 9).tolist()
        for kind in range(5):
            packed = []
            for i, value in enumerate(row):
                a, b, c = (row[i - 1] if i else 0), above[i], (above[i - 1] if i else 0)
                distance = {v: abs(a + b - c - v) for v in (a, b, c)}
                nearest = next(v for v in (a, b, c) if distance[v] == min(distance.values()))
                packed.append((value - (0, a, b, (a + b) // 2, nearest)[kind]) % 256)
            self.assertEqual(list(figures.unfilter(kind, packed, above)), row, kind)


class Fillings(unittest.TestCase):
    def test_neighbours(self):
        """Two training images share the visible half; what they average is the filling."""
        train = noisy(6, 4, 3)
        image = noisy(4, 3)
        train[1, :2] = train[4, :2] = image[:2]
        filled = figures.neighbours_mean(image[None], train, 2)[0]
        self.assertTrue((filled[:2] == image[:2]).all())
        want = np.rint((train[1, 2:].astype(float) + train[4, 2:]) / 2)
        self.assertTrue((filled[2:] == want).all())

    def test_pixel_error(self):
        """Off by 3 in one image and by 4 in the other, in the lower half: 3.5, and sqrt((9+16)/2)."""
        images = np.full((2, 4, 3), 100, np.uint8)
        filled = images.copy()
        filled[0, 2:] += 3
        filled[1, 2:] -= 4
        absolute, root, squares = figures.pixel_error(images, filled)
        self.assertAlmostEqual(absolute["value"], 3.5)
        self.assertAlmostEqual(absolute["se"], 0.5)
        self.assertAlmostEqual(root["value"], 12.5 ** 0.5)
        self.assertEqual(squares.tolist(), [9, 16])
        self.assertAlmostEqual(root["se"], 3.5 / (2 * 12.5 ** 0.5))


class Foreign(unittest.TestCase):
    def test_auroc(self):
        """Pairs won, ties half: of (3,1), (3,2), (2,1), (2,2) three and a half."""
        got = figures.auroc(np.array([3.0, 2.0]), np.array([1.0, 2.0]))
        self.assertAlmostEqual(got["value"], 3.5 / 4)
        self.assertEqual(figures.auroc(np.arange(5.0), np.arange(5.0) - 9), {"value": 1.0, "se": 0.0})
        # equal laws, 400 each: se = sqrt((m+n+1)/(12 m n)) by Mann and Whitney, within a tenth
        got = figures.auroc(RNG.normal(size=400), RNG.normal(size=400))
        self.assertLess(abs(got["se"] / (801 / (12 * 400 * 400)) ** 0.5 - 1), 0.1)

    def test_noise(self):
        """Moments within five standard errors of 40,000 pixels; rounding adds 1/12 to the variance."""
        image = (noisy(1, 200, 200) % 180).astype(np.uint8)
        noise = figures.noise_like(image, RNG).astype(float)
        self.assertLess(abs(noise.mean() - image.mean()), 5 * image.std() / 200)
        spread = ((noise - noise.mean()) ** 2).std() / 200
        self.assertLess(abs(noise.var() - image.var()), 5 * spread + 0.1)
        self.assertEqual(figures.noise_like(np.full((1, 2, 2), 9, np.uint8), RNG).tolist(), [[[9, 9], [9, 9]]])

    def test_resize(self):
        """A ramp stays a ramp between the outermost pixel centres."""
        out = figures.resize_axis(np.arange(8.0), 0, 28)
        at = (np.arange(28) + 0.5) * 8 / 28 - 0.5
        self.assertTrue(np.allclose(out, np.clip(at, 0, 7)))

    def test_areas_of_scores(self):
        """Test images score 2 and 3; the flips' scores lie below, the others' above; the log densities the
        other way round. The calibration is of the last images, of which none is scored."""
        class Stub:
            args = argparse.Namespace(images=8, calibrate=2, seed=1)
            seen = []

            def calibrated_copy(self, images):
                self.seen.append(images)
                return self, [{"unseen_kind": "mean", "copies": 4, "auroc": 0.9}]

            def scores(self, name, images):
                self.seen.append(images)
                level = {"test": 2.0, "vertical-flips": 0.0}.get(name, 9.0)
                score = level + np.arange(len(images)) % 2
                return score, -score

        ebm, test = Stub(), noisy(10, 8, 8)
        with unittest.mock.patch.object(figures, "digits", lambda count, shape: noisy(count, *shape)):
            got = figures.measure_foreign(ebm, test)
        self.assertEqual([row["auroc"]["value"] for row in got["rows"]], [1, 0, 0])
        self.assertEqual([row["auroc_of_lowest_level"]["value"] for row in got["rows"]], [0, 1, 1])
        self.assertTrue((ebm.seen[0] == test[8:]).all() and (ebm.seen[1] == test[:8]).all())
        self.assertTrue((ebm.seen[2] == test[:8, ::-1]).all())


if __name__ == "__main__":
    unittest.main()
