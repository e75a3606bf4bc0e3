/* The tile instructions of AMX as inline assembly. gcc 12's intrinsics do not say that tile loads
 * read memory that was just written, nor that a configuration has 64 bytes; these do. Nothing else
 * in the process uses tile registers, so they need not be named to the compiler.
 *
 * Tiles 0-3 hold sums, 16 x 16 floats each; 4 and 5 the left operand, 16 rows of 32 bfloat16; 6 and
 * 7 the right one, 16 rows of 16 pairs. */
#ifndef EBM_TILES_H
#define EBM_TILES_H

#include <stddef.h>
#include <stdint.h>

#define TILE_ROWS   ((size_t)16)
#define TILE_DEPTH  ((size_t)32)  /* bfloat16 values in a row of the left operand */
#define TILE_VALUES ((size_t)512) /* bfloat16 values in an operand tile */

typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes_per_row[16];
    uint8_t rows[16];
} tile_config;

/* Every kernel begins with this on its thread and ends with tiles_release(), which tells the CPU
 * that there is nothing to save when threads are switched. */
static inline void tiles_begin(void)
{
    static const tile_config config = {.palette = 1,
                                       .bytes_per_row = {64, 64, 64, 64, 64, 64, 64, 64},
                                       .rows = {16, 16, 16, 16, 16, 16, 16, 16}};
    __asm__ volatile("ldtilecfg %0" : : "m"(config) : "memory");
}

static inline void tiles_release(void)
{
    __asm__ volatile("tilerelease" : : : "memory");
}

/* t is a digit */
#define tile_zero(t) __asm__ volatile("tilezero %%tmm" #t : : :)
#define tile_load(t, at, stride)                                                                   \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t                                               \
                     :                                                                             \
                     : "r"((const void *)(at)), "r"((ptrdiff_t)(stride))                           \
                     : "memory")
#define tile_store(t, at, stride)                                                                  \
    __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)"                                           \
                     :                                                                             \
                     : "r"((void *)(at)), "r"((ptrdiff_t)(stride))                                 \
                     : "memory")
/* sums += left * right */
#define tile_product(sums, left, right)                                                            \
    __asm__ volatile("tdpbf16ps %%tmm" #right ", %%tmm" #left ", %%tmm" #sums : : :)

#endif
