/* What a group does with the two calls that move bytes. Knows no library. */
#include "ebmt/group.h"

#include <string.h>

#include "ebm/io.h"

#define STOP (UINT64_C(1) << 32) /* beside a status in one word */

static ebm_status read_words(const uint64_t *words, int32_t n, ebm_status st, ebm_error *err)
{
    for (int32_t i = 0; i < n && st == EBM_OK; i++) {
        st = (ebm_status)(words[i] & (STOP - 1));
        if (st != EBM_OK)
            (void)ebm_error_set(err, st, "process", "process %d of %d failed: %s", (int)i, (int)n,
                                ebm_status_name(st));
    }
    return st;
}

ebm_status ebmt_group_agree(ebmt_group *group, ebm_status st, bool *stop, ebm_error *err)
{
    uint64_t words[EBMT_GROUP_MAX] = {0};
    int32_t n = ebmt_group_size(group);
    if (n == 1)
        return st;
    words[ebmt_group_rank(group)] = (uint64_t)st | (stop && *stop ? STOP : 0);
    ebm_status moved = ebmt_group_merge(group, words, (size_t)n, err);
    if (st == EBM_OK)
        st = moved == EBM_OK ? read_words(words, n, st, err) : moved;
    for (int32_t i = 0; i < n && stop; i++)
        *stop = *stop || (words[i] & STOP) != 0;
    return st;
}

ebm_status ebmt_group_check_same(ebmt_group *group, const char *what, const char *text,
                                 ebm_error *err)
{
    char own[65], leader[65];
    ebm_sha256_hex(text, strlen(text), own);
    memcpy(leader, own, sizeof leader);
    ebm_status st = ebmt_group_share(group, 0, leader, sizeof leader, err);
    if (st == EBM_OK && memcmp(own, leader, sizeof own) != 0)
        st = ebm_error_set(err, EBM_ERR_ARG, "process",
                           "process %d differs from process 0: %.160s, %.12s here",
                           (int)ebmt_group_rank(group), what, own);
    return ebmt_group_agree(group, st, NULL, err);
}
