/* SPDX-License-Identifier: GPL-3.0-or-later */
enum err http_read(int a, int b, int c, int d,
                   int e, int f, int g);
enum err http_six(int a, int b, int c, int d,
                  int e, void (*f)(int x, int y));
