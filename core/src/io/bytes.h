/* Little- and big-endian numbers in byte arrays, whatever the machine's own order. */
#ifndef EBM__BYTES_H
#define EBM__BYTES_H

#include <stdint.h>
#include <string.h>

static inline uint32_t ebm__load_le32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t ebm__load_le64(const unsigned char *p)
{
    return (uint64_t)ebm__load_le32(p) | (uint64_t)ebm__load_le32(p + 4) << 32;
}

static inline uint32_t ebm__load_be32(const unsigned char *p)
{
    return (uint32_t)p[3] | (uint32_t)p[2] << 8 | (uint32_t)p[1] << 16 | (uint32_t)p[0] << 24;
}

static inline void ebm__store_le32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        p[i] = (unsigned char)(v >> (8 * i));
    }
}

static inline void ebm__store_le64(unsigned char *p, uint64_t v)
{
    ebm__store_le32(p, (uint32_t)v);
    ebm__store_le32(p + 4, (uint32_t)(v >> 32));
}

static inline void ebm__store_be32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        p[i] = (unsigned char)(v >> (24 - 8 * i));
    }
}

static inline float ebm__float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static inline double ebm__double_of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static inline uint32_t ebm__bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static inline uint64_t ebm__bits_of_double(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

#endif
