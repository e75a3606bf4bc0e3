/* "Did you mean": the row whose name is nearest to a misspelt field.
 * Knows strings and edit distance, nothing of what the fields are for. */
#include <string.h>

#include "api_internal.h"

#define NAME_MAX_LEN 32

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;

    return m < c ? m : c;
}

/* Edit distance in which swapping neighbours counts once (optimal string alignment).
 * @range both names at most NAME_MAX_LEN long */
static size_t distance(const char *a, size_t la, const char *b, size_t lb)
{
    size_t d[NAME_MAX_LEN + 1][NAME_MAX_LEN + 1];

    for (size_t i = 0; i <= la; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= lb; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= la; i++) {
        for (size_t j = 1; j <= lb; j++) {
            size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;

            d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < d[i][j])
                d[i][j] = d[i - 2][j - 2] + 1;
        }
    }
    return d[la][lb];
}

const char *ebma__suggest(const ebma_table *table, const char *name)
{
    const char *best = NULL;
    size_t len = strlen(name);
    size_t least = SIZE_MAX;

    if (len < 2 || len > NAME_MAX_LEN)
        return NULL;
    for (size_t i = 0; i < table->n; i++) {
        const char *row = table->row[i]->name;
        size_t row_len = strlen(row);
        size_t d;

        if (row_len > NAME_MAX_LEN)
            continue;
        /* an abbreviation ("steps") is as good as a slip of the finger */
        d = row_len > len && len >= 3 && strncmp(row, name, len) == 0
                ? 1
                : distance(name, len, row, row_len);
        if (d < least && d <= 1 + row_len / 4) {
            least = d;
            best = row;
        }
    }
    return best;
}
