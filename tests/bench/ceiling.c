/* What the arithmetic units of this machine can do at most, per instruction set: multiply-adds on
 * accumulators that stay in registers, and for AMX with its tiles loaded from the first-level
 * cache. A contender that is nothing but a yardstick: `run isa=avx512 threads=1 seconds=0.1`. Knows
 * instructions only; has never heard of networks. */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "bench_worker.h"

#define MAX_THREADS 64
#define MAX_BLOCKS  16384

/* Runs about 50 microseconds' worth and returns the operations done. */
typedef double (*loop_fn)(void);

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TURNS        8000
#define ACCUMULATORS 12 /* latency 4 on two units needs 8; 12 and two factors fit 16 registers */

/* Each accumulator is a variable of its own: an array would be spilled, and then this measures the
 * store unit. Values settle near 2, far from denormals. */
#define EACH_ACCUMULATOR(DO)                                                                       \
    DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)

/* Makes the compiler believe that the value was used, at no cost. */
#define KEEP(x) __asm__ volatile("" : : "v"(x))

__attribute__((target("avx2,fma"))) static double loop_avx2(void)
{
    const __m256 a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps(1.0f);
#define START(i) __m256 s##i = _mm256_set1_ps((float)(i));
#define TURN(i)  s##i = _mm256_fmadd_ps(s##i, a, b);
#define END(i)   KEEP(s##i);
    EACH_ACCUMULATOR(START)
    for (int t = 0; t < TURNS; t++) {
        EACH_ACCUMULATOR(TURN)
    }
    EACH_ACCUMULATOR(END)
#undef START
#undef TURN
#undef END
    return 2.0 * 8 * ACCUMULATORS * TURNS;
}

__attribute__((target("avx512f"))) static double loop_avx512(void)
{
    const __m512 a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(1.0f);
#define START(i) __m512 s##i = _mm512_set1_ps((float)(i));
#define TURN(i)  s##i = _mm512_fmadd_ps(s##i, a, b);
#define END(i)   KEEP(s##i);
    EACH_ACCUMULATOR(START)
    for (int t = 0; t < TURNS; t++) {
        EACH_ACCUMULATOR(TURN)
    }
    EACH_ACCUMULATOR(END)
#undef START
#undef TURN
#undef END
    return 2.0 * 16 * ACCUMULATORS * TURNS;
}

/* acc + a*b over pairs of bfloat16: sums grow slowly, the operands are constants. */
__attribute__((target("avx512f,avx512bf16"))) static double loop_avx512_bf16(void)
{
    const __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5f), _mm512_set1_ps(0.5f));
#define START(i) __m512 s##i = _mm512_set1_ps((float)(i));
#define TURN(i)  s##i = _mm512_dpbf16_ps(s##i, a, a);
#define END(i)   KEEP(s##i);
    EACH_ACCUMULATOR(START)
    for (int t = 0; t < TURNS; t++) {
        EACH_ACCUMULATOR(TURN)
    }
    EACH_ACCUMULATOR(END)
#undef START
#undef TURN
#undef END
    return 2.0 * 32 * ACCUMULATORS * TURNS;
}

/* --- AMX ------------------------------------------------------------------------------------ */

#define TILE_TURNS 1000
#define TILE_BYTES 1024

/* The configuration that ldtilecfg reads: palette 1, eight tiles of 16 rows of 64 bytes. */
typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

/* Four products of 16x32 by 32x16 pairs per four tile loads, as a convolution does them. */
__attribute__((target("amx-tile,amx-bf16"))) static double loop_amx(void)
{
    static _Alignas(64) const uint8_t operands[4 * TILE_BYTES]; /* zeros: speed is the same */
    _Alignas(64) uint8_t out[TILE_BYTES];
    tile_config config = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        config.row_bytes[i] = 64;
        config.rows[i] = 16;
    }
    /* gcc 12 believes that ldtilecfg reads 8 bytes, so the stores above need a barrier */
    __asm__ volatile("" : : "r"(&config) : "memory");
    _tile_loadconfig(&config);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int t = 0; t < TILE_TURNS; t++) {
        _tile_loadd(4, operands, 64);
        _tile_loadd(5, operands + TILE_BYTES, 64);
        _tile_loadd(6, operands + 2 * TILE_BYTES, 64);
        _tile_loadd(7, operands + 3 * TILE_BYTES, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, out, 64);
    _tile_release();
    return 4.0 * 2.0 * 16 * 16 * 32 * TILE_TURNS;
}

/* The CPU has it, and the kernel lets this process use its registers. */
static bool has_amx(void)
{
    const unsigned bf16 = 1u << 22, tile = 1u << 24;
    const long request_permission = 0x1023, tile_data = 18; /* ARCH_REQ_XCOMP_PERM, XTILEDATA */
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & (bf16 | tile)) != (bf16 | tile))
        return false;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

static loop_fn find_loop(const char *isa)
{
    if (strcmp(isa, "avx2") == 0 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return loop_avx2;
    if (strcmp(isa, "avx512") == 0 && __builtin_cpu_supports("avx512f"))
        return loop_avx512;
    if (strcmp(isa, "avx512_bf16") == 0 && __builtin_cpu_supports("avx512bf16"))
        return loop_avx512_bf16;
    if (strcmp(isa, "amx") == 0 && has_amx())
        return loop_amx;
    return NULL;
}
#else
static loop_fn find_loop(const char *isa)
{
    (void)isa;
    return NULL;
}
#endif

/* --- measuring ------------------------------------------------------------------------------ */

typedef struct share {
    loop_fn loop;
    double seconds;
    double gflops, best; /* median and maximum over short blocks */
    double rates[MAX_BLOCKS];
} share;

static void *run_share(void *user)
{
    share *s = user;
    int n = 0;
    (void)s->loop(); /* the clock of the core comes up */
    double begin = bench_now(), now = begin;
    do {
        double start = now, operations = s->loop();
        now = bench_now();
        s->rates[n++] = operations / (now - start) * 1e-9;
    } while (now - begin < s->seconds && n < MAX_BLOCKS);
    s->gflops = bench_median(s->rates, n);
    s->best = s->rates[n - 1];
    return NULL;
}

static void answer(const bench_request *r)
{
    static share shares[MAX_THREADS];
    pthread_t threads[MAX_THREADS];
    const char *isa = bench_word(r, "isa", "");
    int n = (int)bench_number(r, "threads", 1, MAX_THREADS, 1), started = 0;
    double gflops = 0.0, best = 0.0;
    loop_fn loop = find_loop(isa);
    if (!loop) {
        bench_refuse("no such instructions here");
        return;
    }
    for (int i = 0; i < n; i++) {
        shares[i].loop = loop;
        shares[i].seconds = bench_number(r, "seconds", 0.001, 60.0, 0.1);
        if (pthread_create(&threads[i], NULL, run_share, &shares[i]) != 0)
            break;
        started++;
    }
    for (int i = 0; i < started; i++) {
        (void)pthread_join(threads[i], NULL);
        gflops += shares[i].gflops;
        best += shares[i].best;
    }
    (void)printf("{\"threads\":%d,\"gflops\":%.6g,\"gflops_max\":%.6g}\n", started, gflops, best);
}

int main(void)
{
    return bench_serve(answer);
}
