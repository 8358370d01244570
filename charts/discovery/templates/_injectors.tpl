{{/* One webhook: (dict "root" $ "name" "..." "namespaces" (matchExpressions) "objects" (matchExpressions)). */}}
{{- define "discovery.injector" -}}
- name: {{ .name }}.sidecar-injector.istio.io
  clientConfig:
    service:
      name: {{ include "discovery.name" .root }}
      namespace: {{ .root.Release.Namespace }}
      path: /inject
      port: 443
  sideEffects: None
  admissionReviewVersions: [v1, v1beta1]
  # A pod of the mesh without its proxy would be outside of every policy: better no pod.
  failurePolicy: Fail
  reinvocationPolicy: {{ .root.Values.sidecarInjectorWebhook.reinvocationPolicy }}
  rules:
    - operations: [CREATE]
      apiGroups: [""]
      apiVersions: [v1]
      resources: [pods]
  namespaceSelector:
    matchExpressions: {{- toYaml .namespaces | nindent 6 }}
  objectSelector:
    matchExpressions: {{- toYaml .objects | nindent 6 }}
{{- end -}}
{{/* The webhooks of a name by which namespaces ask: (dict "root" $ "rev" "..." "default" bool). */}}
{{- define "discovery.injectors" -}}
{{- $revIs := dict "key" "istio.io/rev" "operator" "In" "values" (list .rev) -}}
{{- $noRev := dict "key" "istio.io/rev" "operator" "DoesNotExist" -}}
{{- $noInjection := dict "key" "istio-injection" "operator" "DoesNotExist" -}}
{{- $enabled := dict "key" "istio-injection" "operator" "In" "values" (list "enabled") -}}
{{- $notRefused := dict "key" "sidecar.istio.io/inject" "operator" "NotIn" "values" (list "false") -}}
{{- $wanted := dict "key" "sidecar.istio.io/inject" "operator" "In" "values" (list "true") -}}
{{- $silent := dict "key" "sidecar.istio.io/inject" "operator" "DoesNotExist" -}}
{{- $root := .root -}}
{{ include "discovery.injector" (dict "root" $root "name" "rev.namespace" "namespaces" (list $revIs $noInjection) "objects" (list $notRefused)) }}
{{ include "discovery.injector" (dict "root" $root "name" "rev.object" "namespaces" (list $noRev $noInjection) "objects" (list $notRefused $revIs)) }}
{{- if .default }}
{{ include "discovery.injector" (dict "root" $root "name" "namespace" "namespaces" (list $enabled) "objects" (list $notRefused)) }}
{{ include "discovery.injector" (dict "root" $root "name" "object" "namespaces" (list $noInjection $noRev) "objects" (list $wanted $noRev)) }}
{{- if $root.Values.sidecarInjectorWebhook.enableNamespacesByDefault }}
{{- $notSystem := dict "key" "kubernetes.io/metadata.name" "operator" "NotIn" "values" (list "kube-system" "kube-public" "kube-node-lease" "local-path-storage") }}
{{ include "discovery.injector" (dict "root" $root "name" "auto" "namespaces" (list $noInjection $noRev $notSystem) "objects" (list $silent $noRev)) }}
{{- end }}
{{- end }}
{{- end -}}
