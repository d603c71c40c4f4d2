"""What readers' own times and corrections say: of pre-labels, of the worklist, of each other.

Numbers in, numbers out: no database, no picture. docs/adr/0019 says what is compared with what, and what
the figures do not prove.
"""
