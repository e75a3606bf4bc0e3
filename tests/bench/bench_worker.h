/* The line protocol of a contender, and the convolutions of a network by its short name.
 * For the C programs of this folder; knows nothing of the product's libraries. */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include <stdbool.h>

#define BENCH_WORDS  24
#define BENCH_LAYERS 128

/* The words of one request; a word without '=' has the value "". They live during the call. */
typedef struct bench_request {
    int n;
    const char *key[BENCH_WORDS], *value[BENCH_WORDS];
} bench_request;

/* Value of a word, or `otherwise`. */
const char *bench_word(const bench_request *r, const char *key, const char *otherwise);
bool bench_has(const bench_request *r, const char *key);
/* As above as a number from min to max; anything else gives `otherwise`. */
double bench_number(const bench_request *r, const char *key, double min, double max,
                    double otherwise);

/* Prints {"error": text}. */
void bench_refuse(const char *text);

/* Says READY, then hands each line `run WORD...` to `answer`, which prints one line of JSON, until
 * the input ends. Returns the exit status. */
int bench_serve(void (*answer)(const bench_request *r));

double bench_now(void); /* seconds of a monotonic clock */

/* Median of n times; sorts them. */
double bench_median(double *values, int n);

/* Calls once(user) to warm up, then for `seconds`, at least once; returns the median time of a
 * call in seconds. */
double bench_repeat(double seconds, void (*once)(void *user), void *user);

/* A 3x3 "same" convolution on a square map. */
typedef struct bench_conv {
    int c_in, c_out, size;
    int count; /* how often a list of different ones stands for it */
} bench_conv;

/* Lists the convolutions of "ch=64,mult=1:2:2,blocks=2,size=28,channels=1", or the same with
 * ",unet,silu", in the order of the network. Returns their number, or 0 if the text is not
 * understood. */
int bench_network(const char *text, bench_conv list[BENCH_LAYERS]);
/* Leaves each shape once and counts. Returns the new number. */
int bench_distinct(bench_conv *list, int n);
double bench_conv_flop(const bench_conv *c); /* of one pass over one image */

#endif
