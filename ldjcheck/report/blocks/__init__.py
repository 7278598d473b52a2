"""Blocks of lines that reports for people are made of: titles, tables, ledgers, figures."""
