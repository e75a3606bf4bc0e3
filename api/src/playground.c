/* The files of the playground, which the build puts into the library, see playground.h. */
#include "ebma/playground.h"

#include <string.h>

#define HTML "text/html; charset=utf-8"
#define CSS  "text/css; charset=utf-8"
#define JS   "text/javascript; charset=utf-8"

#define EMBEDDED(symbol)                                                                           \
    extern const unsigned char symbol[];                                                           \
    extern const size_t symbol##_size;                                                             \
    extern const char symbol##_sha256[65];

EMBEDDED(ebma__page_index_html)
EMBEDDED(ebma__page_style_css)
EMBEDDED(ebma__page_app_js)
EMBEDDED(ebma__page_chart_js)
EMBEDDED(ebma__page_charts_js)
EMBEDDED(ebma__page_client_js)
EMBEDDED(ebma__page_dom_js)
EMBEDDED(ebma__page_form_js)
EMBEDDED(ebma__page_job_js)
EMBEDDED(ebma__page_picture_js)

#define ROW(name, type, symbol)                                                                    \
    {                                                                                              \
        name, type, symbol, &symbol##_size, symbol##_sha256                                        \
    }

static const ebma_page pages[] = {
    ROW("index.html", HTML, ebma__page_index_html), ROW("style.css", CSS, ebma__page_style_css),
    ROW("app.js", JS, ebma__page_app_js),           ROW("chart.js", JS, ebma__page_chart_js),
    ROW("charts.js", JS, ebma__page_charts_js),     ROW("client.js", JS, ebma__page_client_js),
    ROW("dom.js", JS, ebma__page_dom_js),           ROW("form.js", JS, ebma__page_form_js),
    ROW("job.js", JS, ebma__page_job_js),           ROW("picture.js", JS, ebma__page_picture_js),
};

const ebma_page *ebma_playground(const char *name)
{
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (strcmp(pages[i].name, name) == 0)
            return &pages[i];
    }
    return NULL;
}
