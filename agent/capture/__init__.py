"""Traffic capture: settings become a plan of rules, the plan becomes iptables or nftables text, a shell applies it.

Only the commands ``istio-iptables`` and ``istio-clean-iptables`` import this; the running agent does not.
"""
