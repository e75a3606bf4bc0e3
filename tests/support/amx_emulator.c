/* See amx_emulator.h. Instructions: Intel SDM volume 2, LDTILECFG to TDPBF16PS. */
#define _GNU_SOURCE
#include "amx_emulator.h"

#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "kernels/kernel_sets.h"

#if defined(__x86_64__) && defined(__linux__)
#include <ucontext.h>

#define N_TILES 8

typedef struct tile {
    uint8_t row[16][64];
} tile;

/* What ldtilecfg reads. */
typedef struct config {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes_per_row[16];
    uint8_t rows[16];
} config;

static _Thread_local config current;
static _Thread_local tile tiles[N_TILES];

/* A VEX instruction of map 0F38 with a ModRM byte. */
typedef struct instruction {
    unsigned prefix; /* 0 none, 1 66, 2 F3, 3 F2 */
    unsigned opcode, reg, rm, third;
    bool memory;
    uint64_t base, step; /* row r is at base + r*step */
    size_t length;
} instruction;

/* General registers by their number in instructions. */
static uint64_t general(const ucontext_t *context, unsigned number)
{
    static const int where[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                  REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                  REG_R12, REG_R13, REG_R14, REG_R15};
    return (uint64_t)context->uc_mcontext.gregs[where[number]];
}

/* Memory operand: [base + displacement] or [base + index*scale + displacement]. */
static size_t decode_memory(const ucontext_t *context, const uint8_t *p, unsigned x, unsigned b,
                            instruction *out)
{
    unsigned mod = p[0] >> 6, rm = p[0] & 7u, base = rm | b << 3;
    size_t used = 1;
    int32_t displacement = 0;
    bool rip = mod == 0 && rm == 5, no_base = false;
    if (rm == 4) {
        unsigned index = (p[1] >> 3 & 7u) | x << 3;
        base = (p[1] & 7u) | b << 3;
        no_base = mod == 0 && (p[1] & 7u) == 5;
        out->step = index == 4 ? 0 : general(context, index) << (p[1] >> 6);
        used = 2;
    }
    if (mod == 1) {
        displacement = (int8_t)p[used];
        used += 1;
    } else if (mod == 2 || rip || no_base) {
        memcpy(&displacement, p + used, sizeof displacement);
        used += 4;
    }
    out->base = (uint64_t)(int64_t)displacement;
    if (rip)
        out->base += (uint64_t)(uintptr_t)p + used;
    else if (!no_base)
        out->base += general(context, base);
    return used;
}

static bool decode(const ucontext_t *context, const uint8_t *p, instruction *out)
{
    memset(out, 0, sizeof *out);
    if (p[0] != 0xC4 || (p[1] & 31u) != 2)
        return false;
    unsigned r = !(p[1] >> 7 & 1u), x = !(p[1] >> 6 & 1u), b = !(p[1] >> 5 & 1u);
    out->third = ~(unsigned)(p[2] >> 3) & 15u;
    out->prefix = p[2] & 3u;
    out->opcode = p[3];
    out->reg = (p[4] >> 3 & 7u) | r << 3;
    out->memory = p[4] >> 6 != 3;
    out->rm = (p[4] & 7u) | b << 3;
    out->length = 4 + (out->memory ? decode_memory(context, p + 4, x, b, out) : 1);
    return true;
}

/* What ldtilecfg takes without a fault. */
static bool may_be_loaded(const config *c)
{
    static const uint8_t none[sizeof c->reserved];
    bool good = c->palette == 1 && c->start_row == 0 && memcmp(c->reserved, none, sizeof none) == 0;
    for (int i = 0; i < 16; i++) {
        const bool used = c->rows[i] > 0;
        good = good && used == (c->bytes_per_row[i] > 0) && (!used || i < N_TILES) &&
               c->rows[i] <= 16 && c->bytes_per_row[i] <= 64;
    }
    return good;
}

static bool load_config(const instruction *in)
{
    config wanted;
    memcpy(&wanted, (const void *)(uintptr_t)in->base, sizeof wanted);
    if (may_be_loaded(&wanted))
        current = wanted;
    return may_be_loaded(&wanted);
}

/* Three tiles, none of them twice. */
static bool may_be_multiplied(const instruction *in)
{
    return in->rm < N_TILES && in->third < N_TILES && in->reg != in->rm && in->reg != in->third &&
           in->rm != in->third;
}

static float widen(const uint8_t *p)
{
    uint8_t bytes[4] = {0, 0, p[0], p[1]};
    float value;
    memcpy(&value, bytes, sizeof value);
    return fabsf(value) < 0x1p-126f ? copysignf(0.0f, value) : value; /* subnormals count as zero */
}

/* Even and odd pairs are summed apart, each by fused multiply-adds, then added. */
static void product(tile *sums, const tile *left, const tile *right)
{
    for (int m = 0; m < 16; m++)
        for (int n = 0; n < 16; n++) {
            float even = 0.0f, odd = 0.0f, sum;
            for (int k = 0; k < 16; k++) {
                const uint8_t *a = &left->row[m][4 * k], *b = &right->row[k][4 * n];
                even = fmaf(widen(a), widen(b), even);
                odd = fmaf(widen(a + 2), widen(b + 2), odd);
            }
            memcpy(&sum, &sums->row[m][4 * n], sizeof sum);
            sum += even + odd;
            memcpy(&sums->row[m][4 * n], &sum, sizeof sum);
        }
}

static void copy_rows(const instruction *in, tile *t, bool store)
{
    for (unsigned row = 0; row < current.rows[in->reg]; row++) {
        void *memory = (void *)(uintptr_t)(in->base + row * in->step);
        if (store)
            memcpy(memory, t->row[row], current.bytes_per_row[in->reg]);
        else
            memcpy(t->row[row], memory, current.bytes_per_row[in->reg]);
    }
}

/* False: not one of ours, or one that a CPU refuses. Tiles are used as configured: 16 rows of 64
 * bytes. */
static bool execute(const instruction *in)
{
    bool configured = current.palette == 1;
    if (in->opcode == 0x49 && in->prefix == 0 && in->memory)
        return load_config(in);
    if (in->opcode == 0x49 && in->prefix == 0)
        memset(&current, 0, sizeof current);
    else if (!configured || in->reg >= N_TILES)
        return false;
    else if (in->opcode == 0x49 && in->prefix == 3)
        memset(&tiles[in->reg], 0, sizeof tiles[0]);
    else if (in->opcode == 0x4B && in->memory && (in->prefix == 3 || in->prefix == 2))
        copy_rows(in, &tiles[in->reg], in->prefix == 2);
    else if (in->opcode == 0x5C && in->prefix == 2 && may_be_multiplied(in))
        product(&tiles[in->reg], &tiles[in->rm], &tiles[in->third]);
    else
        return false;
    return true;
}

static void on_illegal(int number, siginfo_t *info, void *user)
{
    ucontext_t *context = user;
    instruction in;
    (void)info;
    if (!decode(context, (const uint8_t *)(uintptr_t)context->uc_mcontext.gregs[REG_RIP], &in) ||
        !execute(&in)) {
        (void)signal(number, SIG_DFL); /* the fault comes again, and ends the test */
        return;
    }
    context->uc_mcontext.gregs[REG_RIP] += (greg_t)in.length;
}

const ebm_kernels *emulated_amx(void)
{
    struct sigaction action = {.sa_sigaction = on_illegal, .sa_flags = SA_SIGINFO | SA_NODEFER};
    bool rest = ebm__kernels_amx() && ebm__cpu_has_avx512() && ebm__cpu_has_bf16();
    if (!rest || ebm__cpu_has_amx())
        return NULL;
    return sigaction(SIGILL, &action, NULL) == 0 ? ebm__kernels_amx() : NULL;
}
#else
const ebm_kernels *emulated_amx(void)
{
    return NULL;
}
#endif
