/* See bench_worker.h. Lines and words come from a driver beside it, but are bounded all the same.
 */
#include "bench_worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE_BYTES 1024
#define MAX_ROUNDS 65536

/* --- requests ------------------------------------------------------------------------------- */

const char *bench_word(const bench_request *r, const char *key, const char *otherwise)
{
    for (int i = 0; i < r->n; i++)
        if (strcmp(r->key[i], key) == 0)
            return r->value[i];
    return otherwise;
}

bool bench_has(const bench_request *r, const char *key)
{
    return bench_word(r, key, NULL) != NULL;
}

double bench_number(const bench_request *r, const char *key, double min, double max,
                    double otherwise)
{
    const char *text = bench_word(r, key, "");
    char *end = NULL;
    double value = strtod(text, &end);
    return end != text && *end == '\0' && value >= min && value <= max ? value : otherwise;
}

void bench_refuse(const char *text)
{
    (void)printf("{\"error\":\"%s\"}\n", text);
}

/* False unless the line is `run` and at most BENCH_WORDS words. */
static bool split(char *line, bench_request *r)
{
    char *rest = NULL, *word = strtok_r(line, " \t\r\n", &rest);
    r->n = 0;
    if (!word || strcmp(word, "run") != 0)
        return false;
    while ((word = strtok_r(NULL, " \t\r\n", &rest)) != NULL) {
        char *equals = strchr(word, '=');
        if (r->n == BENCH_WORDS)
            return false;
        if (equals)
            *equals = '\0';
        r->key[r->n] = word;
        r->value[r->n++] = equals ? equals + 1 : "";
    }
    return true;
}

int bench_serve(void (*answer)(const bench_request *r))
{
    char line[LINE_BYTES];
    (void)printf("READY\n");
    (void)fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        bench_request r;
        if (!strchr(line, '\n'))
            return 65;
        if (split(line, &r))
            answer(&r);
        else
            bench_refuse("not `run WORD...`, or too long");
        (void)fflush(stdout);
    }
    return 0;
}

/* --- time ----------------------------------------------------------------------------------- */

double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

double bench_median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
    return 0.5 * (values[(n - 1) / 2] + values[n / 2]);
}

double bench_repeat(double seconds, void (*once)(void *user), void *user)
{
    static double times[MAX_ROUNDS]; /* one measurement at a time, in one thread */
    int n = 0;
    once(user);
    double begin = bench_now(), now = begin;
    do {
        double start = now;
        once(user);
        now = bench_now();
        times[n++] = now - start;
    } while (now - begin < seconds && n < MAX_ROUNDS);
    return bench_median(times, n);
}

/* --- networks ------------------------------------------------------------------------------- */

typedef struct network {
    int ch, blocks, size, channels, n_mult, mult[8];
    bool unet;
} network;

static bool read_mult(char *text, network *n)
{
    char *rest = NULL;
    n->n_mult = 0;
    for (char *word = strtok_r(text, ":", &rest); word; word = strtok_r(NULL, ":", &rest)) {
        if (n->n_mult == 8)
            return false;
        n->mult[n->n_mult++] = (int)strtol(word, NULL, 10);
    }
    return n->n_mult > 0;
}

static bool read_field(char *field, network *n)
{
    char *value = strchr(field, '=');
    if (!value && strcmp(field, "unet") == 0)
        return n->unet = true;
    if (!value)
        return strcmp(field, "silu") == 0;
    *value++ = '\0';
    if (strcmp(field, "mult") == 0)
        return read_mult(value, n);
    int number = (int)strtol(value, NULL, 10);
    if (strcmp(field, "ch") == 0)
        n->ch = number;
    else if (strcmp(field, "blocks") == 0)
        n->blocks = number;
    else if (strcmp(field, "size") == 0)
        n->size = number;
    else if (strcmp(field, "channels") == 0)
        n->channels = number;
    else
        return false;
    return true;
}

static bool read_network(const char *text, network *out)
{
    char copy[256], *rest = NULL;
    network n = {.ch = 32, .blocks = 2, .size = 28, .channels = 1, .n_mult = 3, .mult = {1, 2, 2}};
    if (strlen(text) >= sizeof copy)
        return false;
    memcpy(copy, text, strlen(text) + 1);
    for (char *field = strtok_r(copy, ",", &rest); field; field = strtok_r(NULL, ",", &rest))
        if (!read_field(field, &n))
            return false;
    for (int i = 0; i < n.n_mult; i++)
        if (n.mult[i] < 1 || n.mult[i] > 64)
            return false;
    *out = n;
    return n.ch >= 1 && n.ch <= 1024 && n.blocks >= 1 && n.blocks <= 8 && n.size >= 4 &&
           n.size <= 256 && n.channels >= 1 && n.channels <= 4;
}

static void add(bench_conv *list, int *n, int c_in, int c_out, int size)
{
    if (*n < BENCH_LAYERS)
        list[*n] = (bench_conv){.c_in = c_in, .c_out = c_out, .size = size, .count = 1};
    ++*n;
}

/* The blocks of one resolution: from *c channels to `wide`. */
static void add_blocks(const network *net, bench_conv *list, int *n, int *c, int wide, int size)
{
    for (int block = 0; block < net->blocks; block++) {
        add(list, n, *c, wide, size);
        add(list, n, wide, wide, size);
        if (*c != wide)
            add(list, n, *c, wide, size);
        *c = wide;
    }
}

int bench_network(const char *text, bench_conv list[BENCH_LAYERS])
{
    network net;
    int n = 0;
    if (!read_network(text, &net))
        return 0;
    int c = net.ch;
    add(list, &n, net.channels, c, net.size);
    for (int level = 0; level < net.n_mult; level++)
        add_blocks(&net, list, &n, &c, net.ch * net.mult[level], net.size >> level);
    for (int level = net.n_mult - 2; net.unet && level >= 0; level--) {
        int wide = net.ch * net.mult[level];
        if (c != wide)
            add(list, &n, c, wide, net.size >> (level + 1));
        c = wide;
        add_blocks(&net, list, &n, &c, wide, net.size >> level);
    }
    return n <= BENCH_LAYERS ? n : 0;
}

int bench_distinct(bench_conv *list, int n)
{
    int kept = 0;
    for (int i = 0; i < n; i++) {
        int at = 0;
        while (at < kept && (list[at].c_in != list[i].c_in || list[at].c_out != list[i].c_out ||
                             list[at].size != list[i].size))
            at++;
        if (at < kept)
            list[at].count++;
        else
            list[kept++] = list[i];
    }
    return kept;
}

double bench_conv_flop(const bench_conv *c)
{
    return 2.0 * 9.0 * c->c_in * c->c_out * c->size * c->size;
}
