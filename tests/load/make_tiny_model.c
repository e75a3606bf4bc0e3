/* Writes a tiny model for the programs of this folder: make_tiny_model DIR ID LEVELS STEPS. */
#include <stdio.h>
#include <stdlib.h>

#include "tiny_model.h"

int main(int argc, char **argv)
{
    tiny_model what = {.seed = 1, .step_scale = 1.0};

    if (argc != 5) {
        fprintf(stderr, "make_tiny_model DIR ID LEVELS STEPS\n");
        return 64;
    }
    what.id = argv[2];
    what.levels = (int32_t)strtol(argv[3], NULL, 10);
    what.steps = (int32_t)strtol(argv[4], NULL, 10);
    return tiny_model_write(argv[1], &what) ? 0 : 1;
}
