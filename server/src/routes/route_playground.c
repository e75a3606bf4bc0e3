/* GET / and /playground/{file}: the page for trying things out, whose files are compiled in. Knows
 * what a browser must be told about them; not what they do. */
#include <string.h>

#include "ebm/memory.h"
#include "ebma/playground.h"
#include "http/etag.h"
#include "routes/router.h"

/* The page loads its own files, pictures that it was sent and nothing else, and nobody frames it:
 * even a reply that smuggled markup in could run none of it. */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static void reply_page(ebmd_request *r, const ebma_page *page)
{
    char *copy = ebm_alloc(*page->size, 1);

    if (!copy) {
        ebmd_reply_code(r, EBMA_OUT_OF_MEMORY);
        return;
    }
    memcpy(copy, page->bytes, *page->size);
    ebmd_reply_body(r, 200, page->media_type, copy, *page->size);
}

void ebmd_route_playground(const ebmd_app *app, ebmd_request *r)
{
    const ebma_page *page =
        app->playground ? ebma_playground(r->capture ? r->capture : "index.html") : NULL;
    char tag[EBMD_ETAG_SIZE];

    if (!page) {
        ebmd_reply_code(r, EBMA_NOT_FOUND);
        return;
    }
    ebmd_etag_make(page->sha256, tag);
    if (!ebmd_etag_reply(r, tag))
        reply_page(r, page);
    r->reply.caching = EBMD_KEEP_AND_ASK;
    ebmd_reply_add(r, "Content-Security-Policy", policy);
    ebmd_reply_add(r, "Referrer-Policy", "no-referrer");
}
