/* The thread that reads models from disk when an operator asks for it, so that nobody who answers
 * requests or beats a watchdog has to wait for a disk. Orders are carried out one after another.
 * Knows the catalog; not who asks, nor who has to hear of it.
 * @thread every call from any thread */
#ifndef EBMD_LOADER_H
#define EBMD_LOADER_H

#include "base/ids.h"
#include "base/log.h"
#include "base/metrics.h"
#include "models/catalog.h"

typedef struct ebmd_loader ebmd_loader;

typedef struct ebmd_loader_options {
    ebmd_catalog *catalog;
    void (*changed)(void *arg);              /* the set of models may be another now */
    void (*done)(void *arg, const char *id); /* an order has been carried out */
    void *arg;
    ebmd_log *log;
    ebmd_metrics *metrics; /* NULL: nobody counts */
} ebmd_loader_options;

typedef enum ebmd_order {
    EBMD_ORDER_LOAD,   /* ebmd_catalog_load() */
    EBMD_ORDER_UNLOAD, /* ebmd_catalog_unload() */
    EBMD_ORDER_REFRESH /* ebmd_catalog_refresh(); of no model in particular */
} ebmd_order;

/* @own ebmd_loader_stop(); what the options point to must outlive it @err NOMEM */
EBM_MUST_CHECK ebm_status ebmd_loader_start(const ebmd_loader_options *opt, ebmd_loader **out,
                                            ebm_error *err);
/* Finishes the order that is being carried out, and no other. NULL allowed. */
void ebmd_loader_stop(ebmd_loader *l);

/* Takes an order; whoever waits for `id` is woken when it is done.
 * @range model: a valid id, or "" with REFRESH @err false: too many orders wait */
EBM_MUST_CHECK bool ebmd_loader_ask(ebmd_loader *l, ebmd_order order, const char *model,
                                    const char *id);
/* What became of an order: EBM_OK, or what the catalog said, in out->status. Asked once.
 * @err false: it is not done, or long forgotten */
EBM_MUST_CHECK bool ebmd_loader_result(ebmd_loader *l, const char *id, ebm_error *out);

#endif
