"""Push by WebSub: the hub's door, who carries changes to subscribers, and the one way out of the house."""
