/* SPDX-License-Identifier: GPL-3.0-or-later */
static void a_test_that_says_nothing_of_why_it_did_not_run(void **state)
{
    skip();
}
