/* The tables that `ebm eval` prints. Formats numbers; measures nothing. */
#ifndef EBMT_CLI_EVAL_TABLE_H
#define EBMT_CLI_EVAL_TABLE_H

#include "ebmt/eval.h"

void ebmt__print_report(const ebmt_eval_report *report, const ebmt_eval_facts *facts);
void ebmt__print_ood(const ebmt_ood_report *ood);
void ebmt__print_bits(const ebmt_bits_report *bits);

/* The report's last mark; before the first one, what the columns are. For
 * ebmt_long_options.on_mark; user is not read. */
void ebmt__print_long_mark(void *user, const ebmt_long_report *report);

#endif
