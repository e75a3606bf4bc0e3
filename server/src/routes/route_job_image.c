/* GET /v1/jobs/{id}/images/{k}.png: one picture of a job, which never changes once it is there.
 * Knows the store's calls; not what a picture shows. */
#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "http/etag.h"
#include "http/query.h"
#include "routes/router.h"

/* Finds a job of the caller that has ended, or answers why not. */
static bool find_ended(const ebmd_app *app, ebmd_request *r, ebmd_view *view)
{
    if (!ebmd_id_is_job(r->capture, strlen(r->capture)) ||
        app->store->ops->get(app->store, r->capture, ebmd_request_owner(r), view) != EBM_OK) {
        ebmd_reply_code(r, EBMA_JOB_NOT_FOUND);
        return false;
    }
    if (view->row.purged) {
        ebmd_reply_code(r, EBMA_JOB_GONE);
        return false;
    }
    if (!ebmd_job_state_final(view->row.state)) {
        ebmd_reply_code(r, EBMA_JOB_AT_WORK);
        ebmd_reply_add(r, "Retry-After", "1");
        return false;
    }
    return true;
}

/* One picture has one address: "07" is none. */
static bool read_number(const char *text, int32_t *out)
{
    int64_t k;

    if ((text[0] == '0' && text[1] != '\0') || !ebmd_query_whole(text, INT32_MAX, &k))
        return false;
    *out = (int32_t)k;
    return true;
}

/* What the job object says of the picture.
 * @err NOT_FOUND: there is no such picture; BAD_STATE: the result has just gone; others */
static ebm_status read_digest(const ebmd_app *app, const char *id, int32_t k, char digest[65])
{
    char *document = NULL;
    size_t size;
    ebm_status st =
        app->store->ops->blob(app->store, id, EBMD_BLOB_DOCUMENT, 0, &document, &size, NULL);

    if (st == EBM_ERR_NOT_FOUND)
        return EBM_ERR_BAD_STATE;
    if (st == EBM_OK)
        st = ebma_job_image_digest(document, size, k, digest, NULL);
    ebm_free(document);
    return st;
}

static void reply_failure(ebmd_request *r, ebm_status st)
{
    if (st == EBM_ERR_BAD_STATE)
        ebmd_reply_code(r, EBMA_JOB_GONE);
    else
        ebmd_reply_code(r, st == EBM_ERR_NOMEM ? EBMA_OUT_OF_MEMORY : EBMA_INTERNAL);
}

/* Answers with bytes that have the digest, and with nothing else. */
static ebm_status reply_picture(const ebmd_app *app, ebmd_request *r, int32_t k, const char *digest)
{
    char *png = NULL, found[65];
    size_t size;
    ebm_status st =
        app->store->ops->blob(app->store, r->capture, EBMD_BLOB_PART, k, &png, &size, NULL);

    if (st != EBM_OK)
        return st == EBM_ERR_NOT_FOUND ? EBM_ERR_BAD_STATE : st;
    ebm_sha256_hex(png, size, found);
    if (strcmp(found, digest) != 0) {
        ebm_free(png);
        return EBM_ERR_FORMAT;
    }
    ebmd_reply_body(r, 200, "image/png", png, size);
    return EBM_OK;
}

static ebm_status reply_image(const ebmd_app *app, ebmd_request *r, int32_t k, const char *digest)
{
    char tag[EBMD_ETAG_SIZE];
    ebm_status st = EBM_OK;

    ebmd_etag_make(digest, tag);
    if (!ebmd_etag_reply(r, tag))
        st = reply_picture(app, r, k, digest);
    r->reply.caching = st == EBM_OK ? EBMD_KEEP_FOR_EVER : NULL;
    return st;
}

void ebmd_route_job_image(const ebmd_app *app, ebmd_request *r)
{
    ebm_status st = EBM_ERR_NOT_FOUND;
    char digest[65];
    ebmd_view view;
    int32_t k;

    if (!find_ended(app, r, &view))
        return;
    if (read_number(r->item, &k))
        st = read_digest(app, r->capture, k, digest);
    if (st == EBM_ERR_NOT_FOUND) {
        ebmd_reply_code(r, EBMA_IMAGE_NOT_FOUND);
        return;
    }
    if (st == EBM_OK)
        st = reply_image(app, r, k, digest);
    if (st != EBM_OK)
        reply_failure(r, st);
}
