"""What a portal may do without; `feedsvc/extension.py` names them.

None imports another, and each folder can be deleted.
"""
