/* Moves bytes between processes with Open MPI; the one file that knows mpi.h. Its twin without
 * the library is mpi_none.c. */
#include <mpi.h>
#include <stdlib.h>

#include "ebm/memory.h"
#include "ebmt/group.h"

#define CHUNK ((size_t)1 << 28) /* items per call: MPI counts in int */

struct ebmt_group {
    int rank, size, beside;
};

static ebm_status check(int code, const char *what, ebm_error *err)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length;
    if (code == MPI_SUCCESS)
        return EBM_OK;
    (void)MPI_Error_string(code, text, &length);
    return ebm_error_set(err, EBM_ERR_IO, "MPI", "%s: %.180s", what, text);
}

static ebm_status count_beside(ebmt_group *g, ebm_error *err)
{
    MPI_Comm host;
    ebm_status st =
        check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host),
              "cannot find the processes of this machine", err);
    if (st != EBM_OK)
        return st;
    (void)MPI_Comm_size(host, &g->beside);
    (void)MPI_Comm_free(&host);
    return EBM_OK;
}

/* Only the thread that joins ever talks to the others. */
static ebm_status start(ebmt_group *g, ebm_error *err)
{
    int provided = MPI_THREAD_SINGLE;
    ebm_status st =
        check(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided), "cannot start", err);
    if (st != EBM_OK)
        return st;
    if (provided < MPI_THREAD_FUNNELED)
        return ebm_error_set(err, EBM_ERR_UNSUPPORTED, "MPI", "this MPI does not allow threads");
    /* errors come back to us; the default would end the process */
    (void)MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &g->rank);
    (void)MPI_Comm_size(MPI_COMM_WORLD, &g->size);
    if (g->size > EBMT_GROUP_MAX)
        return ebm_error_set(err, EBM_ERR_LIMIT, "mpirun", "more than %d processes",
                             EBMT_GROUP_MAX);
    return count_beside(g, err);
}

ebm_status ebmt_group_join(ebmt_group **out, ebm_error *err)
{
    *out = NULL;
    if (!getenv("OMPI_COMM_WORLD_SIZE")) /* nobody else; starting MPI would cost half a second */
        return EBM_OK;
    ebmt_group *g = ebm_alloc(1, sizeof *g);
    if (!g)
        return ebm_error_set(err, EBM_ERR_NOMEM, "MPI", "no memory");
    ebm_status st = start(g, err);
    if (st == EBM_OK)
        *out = g;
    else
        ebm_free(g);
    return st;
}

void ebmt_group_leave(ebmt_group *group, bool failed)
{
    if (group && !failed)
        (void)MPI_Finalize();
    ebm_free(group);
}

int32_t ebmt_group_size(const ebmt_group *group)
{
    return group ? group->size : 1;
}

int32_t ebmt_group_rank(const ebmt_group *group)
{
    return group ? group->rank : 0;
}

int32_t ebmt_group_beside(const ebmt_group *group)
{
    return group ? group->beside : 1;
}

ebm_status ebmt_group_share(ebmt_group *group, int32_t owner, void *data, size_t bytes,
                            ebm_error *err)
{
    ebm_status st = EBM_OK;
    for (size_t at = 0; group && at < bytes && st == EBM_OK; at += CHUNK) {
        size_t n = bytes - at < CHUNK ? bytes - at : CHUNK;
        st = check(MPI_Bcast((char *)data + at, (int)n, MPI_BYTE, owner, MPI_COMM_WORLD),
                   "cannot share", err);
    }
    return st;
}

ebm_status ebmt_group_merge(ebmt_group *group, uint64_t *words, size_t n, ebm_error *err)
{
    ebm_status st = EBM_OK;
    for (size_t at = 0; group && at < n && st == EBM_OK; at += CHUNK) {
        size_t part = n - at < CHUNK ? n - at : CHUNK;
        st = check(MPI_Allreduce(MPI_IN_PLACE, words + at, (int)part, MPI_UINT64_T, MPI_BOR,
                                 MPI_COMM_WORLD),
                   "cannot merge", err);
    }
    return st;
}
