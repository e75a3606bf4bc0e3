/* The twin of mpi_io.c in a build without Open MPI: every process is alone. */
#include <stdlib.h>
#include <string.h>

#include "ebmt/group.h"

ebm_status ebmt_group_join(ebmt_group **out, ebm_error *err)
{
    const char *size = getenv("OMPI_COMM_WORLD_SIZE");
    *out = NULL;
    /* several that each believe to be alone would write the same files */
    if (size && strcmp(size, "1") != 0)
        return ebm_error_set(err, EBM_ERR_UNSUPPORTED, "mpirun",
                             "this build has no Open MPI: install libopenmpi-dev and build again");
    return EBM_OK;
}

void ebmt_group_leave(ebmt_group *group, bool failed)
{
    (void)group;
    (void)failed;
}

int32_t ebmt_group_size(const ebmt_group *group)
{
    (void)group;
    return 1;
}

int32_t ebmt_group_rank(const ebmt_group *group)
{
    (void)group;
    return 0;
}

int32_t ebmt_group_beside(const ebmt_group *group)
{
    (void)group;
    return 1;
}

ebm_status ebmt_group_share(ebmt_group *group, int32_t owner, void *data, size_t bytes,
                            ebm_error *err)
{
    (void)group;
    (void)owner;
    (void)data;
    (void)bytes;
    (void)err;
    return EBM_OK;
}

ebm_status ebmt_group_merge(ebmt_group *group, uint64_t *words, size_t n, ebm_error *err)
{
    (void)group;
    (void)words;
    (void)n;
    (void)err;
    return EBM_OK;
}
