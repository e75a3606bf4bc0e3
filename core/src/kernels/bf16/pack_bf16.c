/* Rounds weights to bfloat16 and puts them where a set's kernels read them. See maps_bf16.h. */
#include "kernels/kernel_sets.h"

#if defined(__AVX512BF16__)
#include <math.h>

#include "kernels/bf16/maps_bf16.h"

bf16 ebm__bf16_nearest(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (isnan(x))
        return (bf16)(bits >> 16 | 0x40u);
    return (bf16)((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

/* The taps of one kernel, each rounded with the error that the ones before have left. Their sum,
 * which is what a smooth image sees, then stays right: rounding each by itself puts three times
 * the error on the network's output. */
static void round_kernel(const float *w, float gain, size_t taps, bf16 *out)
{
    float carried = 0.0f;
    for (size_t tap = 0; tap < taps; tap++) {
        float wanted = gain * w[tap] + carried;
        out[tap] = ebm__bf16_nearest(wanted);
        float left = wanted - float_of(out[tap]);
        carried = isfinite(left) ? left : 0.0f;
    }
}

void ebm__bf16_pack(const ebm_conv_shape *s, const float *w, const float *gain,
                    const ebm__bf16_packing *to)
{
    const ebm_conv_shape t = ebm__conv_transposed(s);
    size_t taps = ebm__conv_taps(s), in = (size_t)s->c_in, out = (size_t)s->c_out;
    bf16 *forward = wide(to->forward), *backward = to->backward ? wide(to->backward) : NULL;
    bf16 kernel[9];
    if (is_thin(s->c_in))
        ebm__thin_pack(s, w, gain, false, to->forward);
    if (is_thin(s->c_out) && backward)
        ebm__thin_pack(&t, w, gain, true, to->backward);
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < in; i++, w += taps) {
            round_kernel(w, gain ? gain[o] : 1.0f, taps, kernel);
            for (size_t tap = 0; tap < taps; tap++) {
                if (!is_thin(s->c_in))
                    forward[to->index(s, o, i, tap)] = kernel[tap];
                if (!is_thin(s->c_out) && backward)
                    backward[to->index(&t, i, o, taps - 1 - tap)] = kernel[tap];
            }
        }
}
#endif
