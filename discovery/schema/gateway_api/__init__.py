"""The kinds of the Kubernetes Gateway API: its definitions are not ours, a cluster has those that somebody installed.

Fields that are not written have the API's defaults, those that its definitions make an API server fill in. Kinds,
types and modes are texts, no enums: the API says that values may be added, and that an unknown one makes the object
not accepted, which is for whoever translates it to tell. What the API's own rules (CEL) refuse is not checked again.

Spec: https://gateway-api.sigs.k8s.io/reference/spec/
"""
